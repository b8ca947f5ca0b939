"""Erasing one user: from exported files, then from every table, in one transaction.

The files come first, since without the user's row nobody would know whom to look for: a command
that was cut off is run again. What is written down about it does not say who it was. Models that
learned from the user's purchases keep what they learned.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, text

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import audit
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.privacy import export_register
from gpt4rec_es.privacy.export_register import ExportedFile


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """What was erased, or would be. rows: by table. files: that were changed or deleted.

    elsewhere: files registered on other machines, as host:path; they must be seen to there.
    """

    rows: dict[str, int]
    files: list[str]
    elsewhere: list[str]
    dry_run: bool


def forget_user(engine: Engine, user_id: str, *, actor: str, dry_run: bool = False) -> ForgetReport:
    """Erase a user everywhere and return what that was; a later import may bring the user again.

    dry_run: nothing is changed; ``files`` are then all that would be looked through.

    Raises:
        UsageError: there is no such user.
        ConflictError: a run is unfinished, or planning, pruning or an export is under way.
        DataError: a file cannot be rewritten; no row was erased.
    """
    with (
        locks.hold_lock(engine, "plan nightly"),
        locks.hold_lock(engine, "prune"),
        locks.hold_lock(engine, export_register.LOCK),
    ):
        with transaction(engine) as connection:
            _refuse_unfinished(connection)
            user_no, shown_id = _find(connection, user_id)
            exported = export_register.load_exports(connection)
        here = [file for file in exported if file.is_here]
        files = [
            file.path
            for file in here
            if dry_run or export_register.erase(file, {user_id, shown_id})
        ]
        rows = _erase_rows(engine, user_no, user_id, actor, dry_run)
    return ForgetReport(rows, files, [_place(f) for f in exported if not f.is_here], dry_run)


def _place(file: ExportedFile) -> str:
    return f"{file.host}:{file.path}"


def _refuse_unfinished(connection: Connection) -> None:
    unfinished = run_rows.unfinished(connection)
    if unfinished:
        raise ConflictError(
            f"Run {unfinished[0].run_id} is unfinished ({unfinished[0].state}).",
            "Let it end, or cancel it (`gpt4rec runs cancel`), then forget the user.",
        )


def _find(connection: Connection, user_id: str) -> tuple[int, str]:
    found = connection.execute(
        text("SELECT user_no, shown_id FROM users WHERE user_id = :id"), {"id": user_id}
    ).one_or_none()
    if found is None:
        raise UsageError("There is no such user.", "Ids are those of the imported files.")
    return found.user_no, found.shown_id


def _erase_rows(
    engine: Engine, user_no: int, user_id: str, actor: str, dry_run: bool
) -> dict[str, int]:
    with transaction(engine) as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        locks.transaction_lock(connection, locks.TEXTS)
        connection.execute(text("SELECT FROM catalog_state FOR UPDATE"))  # imports wait
        erasing = _Erasing(connection, user_no)
        prompts, queries = erasing.texts()
        erasing.own_rows()
        erasing.shard_members()
        erasing.rejects(user_id)
        erasing.unneeded(prompts, queries)
        erasing.count("users", "DELETE FROM users WHERE user_no = :user_no")
        rows = {table: n for table, n in sorted(erasing.rows.items()) if n}
        audit.record(connection, actor, "forget", "a user", after={"rows": rows})
        if dry_run:
            connection.rollback()
    return rows


class _Erasing:
    """The statements on one user's rows; ``rows`` counts them by table."""

    def __init__(self, connection: Connection, user_no: int) -> None:
        self._connection = connection
        self._user_no = user_no
        self._runs = list(
            connection.execute(
                text(
                    "SELECT run_no FROM runs "
                    "WHERE to_regclass('public.run_users_' || run_no) IS NOT NULL"
                )
            ).scalars()
        )
        self.rows: dict[str, int] = {}

    def count(self, table: str, statement: str, **values: Any) -> None:
        done = self._connection.execute(text(statement), {"user_no": self._user_no, **values})
        self.rows[table] = self.rows.get(table, 0) + done.rowcount

    def _numbers(self, statement: str, **values: Any) -> set[int]:
        given = {"user_no": self._user_no, "runs": self._runs, **values}
        return set(self._connection.execute(text(statement), given).scalars())

    def texts(self) -> tuple[set[int], set[int]]:
        """Return the prompts and queries of the user's runs, whoever else has them."""
        prompts = self._numbers(
            "SELECT prompt_no FROM run_users WHERE run_no = ANY(:runs) AND user_no = :user_no "
            "AND prompt_no IS NOT NULL"
        )
        queries = self._numbers(
            """
            SELECT last_query_no FROM run_users WHERE run_no = ANY(:runs) AND user_no = :user_no
                AND last_query_no IS NOT NULL
            UNION
            SELECT query_no FROM generated_queries JOIN generations USING (generation_no)
            WHERE prompt_no = ANY(:prompts)
            """,
            prompts=list(prompts),
        )
        return prompts, queries

    def own_rows(self) -> None:
        """Delete the rows of every table that has user numbers, also of tables to come."""
        tables = self._connection.execute(
            text("""
            SELECT c.relname, c.relkind = 'p' AS has_runs FROM pg_class AS c
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'user_no'
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                AND NOT c.relispartition AND c.relname <> 'users'
            """)
        ).all()
        # A gate counts the users of each run.
        self._connection.execute(
            text("""
            UPDATE runs SET cohort_size = cohort_size - 1 WHERE run_no IN (
                SELECT run_no FROM run_users WHERE run_no = ANY(:runs) AND user_no = :user_no)
            """),
            {"runs": self._runs, "user_no": self._user_no},
        )
        for table, has_runs in tables:
            where = "AND run_no = ANY(:runs)" if has_runs else ""
            self.count(
                table,
                f"DELETE FROM {table} WHERE user_no = :user_no {where}",  # noqa: S608 - catalog's
                **({"runs": self._runs} if has_runs else {}),
            )
        if self.rows["interactions"]:
            # What was made of all histories is made again.
            self._connection.execute(
                text("UPDATE catalog_state SET history_version = history_version + 1")
            )

    def shard_members(self) -> None:
        self.count(
            "shards",
            "UPDATE shards SET members = array_remove(members, cast(:user_no AS bigint)) "
            "WHERE stage = 'merge' AND members @> ARRAY[cast(:user_no AS bigint)]",
        )

    def rejects(self, user_id: str) -> None:
        """Blank records that name the user as a word; some may mean something else by it."""
        edge = "[^[:alnum:]_-]"
        self.count(
            "import_rejects",
            """
            UPDATE import_rejects AS r SET excerpt = '(erased)', reason = '(erased)'
            FROM imports AS i WHERE i.import_no = r.import_no AND i.kind = 'interactions'
                AND (r.excerpt ~ :pattern OR r.reason ~ :pattern)
            """,
            pattern=f"(^|{edge}){re.escape(user_id)}($|{edge})",
        )

    def unneeded(self, prompts: set[int], queries: set[int]) -> None:
        """Delete those of the texts that nobody else needs."""
        prompts = prompts - self._numbers(
            """
            SELECT prompt_no FROM run_users WHERE prompt_no = ANY(:numbers)
            UNION SELECT prompt_no FROM split_prompts WHERE prompt_no = ANY(:numbers)
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
            """,
            numbers=list(queries),
        )
        # Sums over several users name nobody, and keep their query.
        self._delete("daily_queries", "query_no", queries, "AND n_users = 1")
        queries = queries - self._numbers(
            "SELECT query_no FROM daily_queries WHERE query_no = ANY(:numbers)",
            numbers=list(queries),
        )
        for table in ("daily_examples", "searches", "queries"):
            self._delete(table, "query_no", queries)

    def _delete(self, table: str, column: str, numbers: Iterable[int], where: str = "") -> None:
        self.count(
            table,
            f"DELETE FROM {table} WHERE {column} = ANY(:numbers) {where}",  # noqa: S608 - ours
            numbers=list(numbers),
        )
