"""Reads of stored lists: one user's list, counts, and comparisons of two sets of lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.canary import SEED
from gpt4rec_es.db.rows.lists import UserOutcome
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.records import Outcome


@dataclass(frozen=True, slots=True)
class ListsTable:
    """Location of lists: a run's rows in ``table``, which has the columns of recommendations."""

    run_no: int
    table: str = "recommendations"


@dataclass(frozen=True, slots=True)
class ListedRow:
    """One row of a user's list.

    query: text that found the item; None: no query did. promoted_by: rule that pinned the item or
    moved it up; None: none did. merge_rank, rerank_score: as of ``Pick``.
    """

    rank: int
    item_no: int
    source: str
    query_rank: int | None
    hit_rank: int | None
    score: float | None
    from_item_no: int | None
    fused_score: float | None
    query: str | None
    promoted_by: str | None
    merge_rank: int | None
    rerank_score: float | None


def count_rows(connection: Connection, lists: ListsTable) -> int:
    """Return the number of recommendations in these lists."""
    found = connection.execute(
        # Only the table name is formatted in; values are bound.
        text(f"SELECT count(*) FROM {lists.table} WHERE run_no = :run_no"),  # noqa: S608
        {"run_no": lists.run_no},
    )
    return int(found.scalar_one())


def load_list(connection: Connection, run_no: int, user_no: int) -> list[ListedRow]:
    """Return a user's list in a run, by rank; empty: there is none."""
    found = connection.execute(
        text("""
        SELECT r.rank, r.item_no, r.source, r.query_rank, r.hit_rank, r.score, r.from_item_no,
            r.fused_score, q.text AS query, r.promoted_by, r.merge_rank, r.rerank_score
        FROM recommendations AS r LEFT JOIN queries AS q USING (query_no)
        WHERE r.run_no = :run_no AND r.user_no = :user_no ORDER BY r.rank
        """),
        {"run_no": run_no, "user_no": user_no},
    )
    return [ListedRow(*row) for row in found]


def load_sampled_lists(connection: Connection, run: Run, users: int) -> dict[int, list[int]]:
    """Return user number -> item numbers by rank, of sampled users whose outcome is not failed.

    Of a run that serves all they are others than the users of its canary, and those of other runs.
    """
    found = connection.execute(
        text("""
        SELECT user_no, coalesce(
            (SELECT array_agg(r.item_no ORDER BY r.rank) FROM recommendations AS r
             WHERE r.run_no = :run_no AND r.user_no = sampled.user_no), '{}')
        FROM (
            SELECT user_no FROM user_outcomes WHERE run_no = :run_no AND outcome <> 'failed'
            ORDER BY hashint8extended(user_no, :seed), user_no LIMIT :users
        ) AS sampled
        """),
        {
            "run_no": run.run_no,
            "users": users,
            "seed": SEED if run.is_canary else SEED + run.run_no,
        },
    )
    return {user_no: list(items) for user_no, items in found}


def load_outcome(connection: Connection, run_no: int, user_no: int) -> UserOutcome | None:
    """Return a user's outcome in a run; None: the user is not merged yet."""
    row = connection.execute(
        text("""
        SELECT user_no, outcome, n_queries, n_found, n_recommended, n_pinned, short_reason,
            error
        FROM user_outcomes WHERE run_no = :run_no AND user_no = :user_no
        """),
        {"run_no": run_no, "user_no": user_no},
    ).one_or_none()
    return None if row is None else UserOutcome(row[0], Outcome(row[1]), *row[2:])


def count_outcomes(connection: Connection, run_no: int) -> int:
    """Return the number of users of a run with an outcome."""
    found = connection.execute(
        text("SELECT count(*) FROM user_outcomes WHERE run_no = :run_no"), {"run_no": run_no}
    )
    return int(found.scalar_one())


class ListsOverlap(NamedTuple):
    """Overlap of two sets of lists.

    equal: number of users with equal lists in both. mean, deciles: Jaccard similarity |common
    items| / |all items| over users in both sets; None: no user is in both.
    """

    in_both: int
    only_in_a: int
    only_in_b: int
    equal: int
    mean: float | None
    deciles: list[float] | None


class MovedItem(NamedTuple):
    """An item, and the number of users whose list it was added to."""

    item_id: str
    title: str | None
    users: int


# Only table names are formatted in; values are bound.
_LISTS = """
WITH a AS (SELECT user_no, array_agg(item_no ORDER BY rank) AS items FROM {a}
           WHERE run_no = :a GROUP BY user_no),
     b AS (SELECT user_no, array_agg(item_no ORDER BY rank) AS items FROM {b}
           WHERE run_no = :b GROUP BY user_no),
     c AS (SELECT a.items AS a, b.items AS b,
                  (SELECT count(*) FROM unnest(a.items) AS x WHERE x = ANY(b.items)) AS common
           FROM a FULL JOIN b USING (user_no)),
     d AS (SELECT a, b, common::float8 / (cardinality(a) + cardinality(b) - common) AS jaccard
           FROM c)
SELECT count(*) FILTER (WHERE a IS NOT NULL AND b IS NOT NULL) AS in_both,
       count(*) FILTER (WHERE b IS NULL) AS only_in_a,
       count(*) FILTER (WHERE a IS NULL) AS only_in_b,
       count(*) FILTER (WHERE a = b) AS equal,
       avg(jaccard) AS mean,
       percentile_cont(ARRAY[0, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1])
           WITHIN GROUP (ORDER BY jaccard) AS deciles
FROM d
"""


def compare(connection: Connection, a: ListsTable, b: ListsTable) -> ListsOverlap:
    """Return the overlap of lists ``a`` and ``b``."""
    statement = text(_LISTS.format(a=a.table, b=b.table))
    return ListsOverlap(*connection.execute(statement, {"a": a.run_no, "b": b.run_no}).one())


def load_moved(
    connection: Connection, old: ListsTable, new: ListsTable, limit: int
) -> list[MovedItem]:
    """Return the items added to the most users' lists from ``old`` to ``new`` (users in both)."""
    found = connection.execute(
        # Only table names are formatted in; values are bound.
        text(f"""
        SELECT item_id, title, count(*) AS users
        FROM {new.table} AS n JOIN items USING (item_no)
        WHERE n.run_no = :new
          AND EXISTS (SELECT FROM run_users AS u
                      WHERE u.run_no = :old AND u.user_no = n.user_no)
          AND NOT EXISTS (SELECT FROM {old.table} AS o WHERE o.run_no = :old
                          AND o.user_no = n.user_no AND o.item_no = n.item_no)
        GROUP BY item_id, title ORDER BY users DESC, item_id LIMIT :limit
        """),  # noqa: S608
        {"old": old.run_no, "new": new.run_no, "limit": limit},
    )
    return [MovedItem(*row) for row in found]


def load_item_nos(
    connection: Connection, lists: ListsTable, users: Sequence[int]
) -> list[list[int]]:
    """Return the users' lists of item numbers, in the order of ``users``; empty: no list."""
    found = connection.execute(
        # Only the table name is formatted in; values are bound.
        text(
            f"SELECT user_no, array_agg(item_no ORDER BY rank) AS items FROM {lists.table} "  # noqa: S608
            "WHERE run_no = :run_no AND user_no = ANY(:users) GROUP BY user_no"
        ),
        {"run_no": lists.run_no, "users": list(users)},
    )
    by_user = {row.user_no: row.items for row in found}
    return [by_user.get(user, []) for user in users]


def count_other_queries(connection: Connection, a: Run, b: Run) -> int:
    """Return the number of users in both runs whose generated query texts differ."""
    generations = """
        SELECT u.user_no, array_agg(q.query_no ORDER BY q.rank) AS queries
        FROM run_users AS u JOIN generations AS g ON g.prompt_no = u.prompt_no
            AND g.content_hash = :{0}_hash AND g.decoding_no = :{0}_decoding
        JOIN generated_queries AS q USING (generation_no)
        WHERE u.run_no = :{0}_no GROUP BY u.user_no
    """
    # Only the names a and b are formatted in; values are bound.
    found = connection.execute(
        text(
            f"SELECT count(*) FROM ({generations.format('a')}) AS a "  # noqa: S608
            f"JOIN ({generations.format('b')}) AS b USING (user_no) WHERE a.queries <> b.queries"
        ),
        {
            f"{name}_{key}": value
            for name, run in (("a", a), ("b", b))
            for key, value in (
                ("no", run.run_no),
                ("hash", run.content_hash),
                ("decoding", run.decoding_no),
            )
        },
    )
    return int(found.scalar_one())
