"""Statements on personal data: erasing users and pseudonyms."""

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from gpt4rec_es.db import locks


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user's number, and the time of the first import that named the user."""

    user_no: int
    created_at: dt.datetime


def find_user(connection: Connection, user_id: str) -> KnownUser | None:
    """Return the user with this id; None: there is none."""
    found = connection.execute(
        text("SELECT user_no, created_at FROM users WHERE user_id = :id"), {"id": user_id}
    ).one_or_none()
    return None if found is None else KnownUser(found.user_no, found.created_at)


def lock_for_erasing(connection: Connection) -> None:
    """Block imports, planning and pruning until the transaction ends; disables the time-outs."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    locks.transaction_lock(connection, locks.TEXTS)
    connection.execute(text("SELECT FROM catalog_state FOR UPDATE"))  # imports wait


def has_pseudonyms(connection: Connection) -> bool:
    """Return whether analysts see pseudonyms; needs the owner's connection."""
    found = connection.execute(text("SELECT has_pseudonyms FROM privacy")).scalar_one_or_none()
    return bool(found)


def set_pseudonyms(connection: Connection, *, is_on: bool, inner: bytes, outer: bytes) -> int:
    """Switch between pseudonyms and ids; return the number of users changed.

    inner, outer: keys of the hash, stored if there are none yet.
    """
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    # No import may insert users with the old setting during the change.
    connection.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))
    connection.execute(
        text("""
        INSERT INTO privacy (one_row, has_pseudonyms, inner_key, outer_key)
        VALUES (true, :is_on, :inner, :outer)
        ON CONFLICT (one_row) DO UPDATE SET has_pseudonyms = excluded.has_pseudonyms
        """),
        {"is_on": is_on, "inner": inner, "outer": outer},
    )
    # The trigger that fills shown_id reads the new setting.
    return connection.execute(
        text("UPDATE users SET user_id = user_id WHERE (shown_id = user_id) = :is_on"),
        {"is_on": is_on},
    ).rowcount


class Erasing:
    """The statements that delete one user's rows; ``rows`` counts the rows by table.

    Call the methods in one transaction, in the order in which they are defined.
    """

    def __init__(self, connection: Connection, user_no: int) -> None:
        self._connection = connection
        self._user_no = user_no
        self._runs = list(
            connection.execute(
                text(
                    "SELECT run_no FROM runs "
                    "WHERE to_regclass('public.run_users_' || run_no) IS NOT NULL "
                    # Lists of a pruned run that stay for analysts.
                    "OR to_regclass('public.recommendations_' || run_no) IS NOT NULL"
                )
            ).scalars()
        )
        self.rows: dict[str, int] = {}

    def _count(self, table: str, statement: str, **values: Any) -> None:
        done = self._connection.execute(text(statement), {"user_no": self._user_no, **values})
        self.rows[table] = self.rows.get(table, 0) + done.rowcount

    def _numbers(self, statement: str, **values: Any) -> set[int]:
        given = {"user_no": self._user_no, "runs": self._runs, **values}
        return set(self._connection.execute(text(statement), given).scalars())

    def texts(self) -> tuple[set[int], set[int]]:
        """Return the prompts and queries of the user's runs, including those shared with others."""
        prompts = self._numbers(
            "SELECT prompt_no FROM run_users WHERE run_no = ANY(:runs) AND user_no = :user_no "
            "AND prompt_no IS NOT NULL UNION SELECT prompt_no FROM held_out_users "
            "WHERE user_no = :user_no AND prompt_no IS NOT NULL"
        )
        queries = self._numbers(
            """
            SELECT last_query_no FROM run_users WHERE run_no = ANY(:runs) AND user_no = :user_no
                AND last_query_no IS NOT NULL
            UNION SELECT last_query_no FROM held_out_users
            WHERE user_no = :user_no AND last_query_no IS NOT NULL
            UNION
            SELECT query_no FROM generated_queries JOIN generations USING (generation_no)
            WHERE prompt_no = ANY(:prompts)
            """,
            prompts=list(prompts),
        )
        return prompts, queries

    def own_rows(self) -> None:
        """Delete the user's rows from every table with a column user_no, found in the catalog."""
        tables = self._connection.execute(
            text("""
            SELECT c.relname, c.relkind = 'p' AS has_runs FROM pg_class AS c
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'user_no'
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                AND NOT c.relispartition AND c.relname <> 'users'
            """)
        ).all()
        # A gate compares cohort_size with the number of users.
        self._connection.execute(
            text("""
            UPDATE runs SET cohort_size = cohort_size - 1 WHERE run_no IN (
                SELECT run_no FROM run_users WHERE run_no = ANY(:runs) AND user_no = :user_no)
            """),
            {"runs": self._runs, "user_no": self._user_no},
        )
        for table, has_runs in tables:
            where = "AND run_no = ANY(:runs)" if has_runs else ""
            self._count(
                table,
                f"DELETE FROM {table} WHERE user_no = :user_no {where}",  # noqa: S608 - catalog's
                **({"runs": self._runs} if has_runs else {}),
            )
        if self.rows["interactions"]:
            # Sets of co-purchases were counted from all histories, so they are computed again.
            self._connection.execute(
                text("UPDATE catalog_state SET history_version = history_version + 1")
            )

    def shard_members(self) -> None:
        """Remove the user from the shards of stages whose members are users."""
        self._count(
            "shards",
            "UPDATE shards SET members = array_remove(members, cast(:user_no AS bigint)) "
            "WHERE stage IN ('embed', 'merge') AND members @> ARRAY[cast(:user_no AS bigint)]",
        )

    def rejects(self, user_id: str) -> None:
        """Blank rejected records that contain the user id as a word, whatever it means there."""
        edge = "[^[:alnum:]_-]"
        self._count(
            "import_rejects",
            """
            UPDATE import_rejects AS r SET excerpt = '(erased)', reason = '(erased)'
            FROM imports AS i WHERE i.import_no = r.import_no AND i.kind <> 'items'
                AND (r.excerpt ~ :pattern OR r.reason ~ :pattern)
            """,
            pattern=f"(^|{edge}){re.escape(user_id)}($|{edge})",
        )

    def unneeded(self, prompts: set[int], queries: set[int]) -> None:
        """Delete those texts that no other user needs."""
        prompts = prompts - self._numbers(
            """
            SELECT prompt_no FROM run_users WHERE prompt_no = ANY(:numbers)
            UNION SELECT prompt_no FROM split_prompts WHERE prompt_no = ANY(:numbers)
            UNION SELECT prompt_no FROM held_out_users WHERE prompt_no = ANY(:numbers)
            """,
            numbers=list(prompts),
        )
        for table in ("generations", "prompts"):
            self._delete(table, "prompt_no", prompts)
        queries = queries - self._numbers(
            """
            SELECT query_no FROM generated_queries WHERE query_no = ANY(:numbers)
            UNION SELECT last_query_no FROM run_users WHERE last_query_no = ANY(:numbers)
            UNION SELECT query_no FROM run_titles WHERE query_no = ANY(:numbers)
            UNION SELECT last_query_no FROM held_out_users WHERE last_query_no = ANY(:numbers)
            """,
            numbers=list(queries),
        )
        # Sums over several users identify no user; their queries stay.
        self._delete("daily_queries", "query_no", queries, "AND n_users = 1")
        queries = queries - self._numbers(
            "SELECT query_no FROM daily_queries WHERE query_no = ANY(:numbers)",
            numbers=list(queries),
        )
        for table in ("daily_examples", "searches", "queries"):
            self._delete(table, "query_no", queries)

    def _delete(self, table: str, column: str, numbers: Iterable[int], where: str = "") -> None:
        self._count(
            table,
            f"DELETE FROM {table} WHERE {column} = ANY(:numbers) {where}",  # noqa: S608 - ours
            numbers=list(numbers),
        )

    def user(self) -> None:
        """Delete the user's row, after all rows that refer to it."""
        self._count("users", "DELETE FROM users WHERE user_no = :user_no")
