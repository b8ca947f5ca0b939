"""Comparing two runs: how much users' lists and queries changed."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Engine, text

from gpt4rec_es.db.engine import unhurried
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.stored_lists import Lists
from gpt4rec_es.lab.replay.deltas import MetricDeltas, metric_deltas


@dataclass(frozen=True, slots=True)
class ListsDiff:
    """How lists ``b`` differ from lists ``a``; plain values, ready for JSON.

    mean_jaccard: over users of both, |common items| / |all items| of the two lists. deciles: the
    same at 0, 10, ... 100 % of users. gained, lost: items by the users who got or lost them.
    """

    users_in_both: int
    users_only_in_a: int
    users_only_in_b: int
    equal_lists: int
    mean_jaccard: float | None
    deciles: list[float]
    gained: list[dict[str, Any]]
    lost: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDiff(ListsDiff):
    """How run ``b`` differs from run ``a``, by its lists and beyond.

    metrics: by a split, if one was named.
    """

    a: str
    b: str
    users_with_other_queries: int
    changed_inputs: dict[str, list[Any]]
    metrics: MetricDeltas | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


def diff_runs(
    engine: Engine,
    first: str,
    second: str,
    *,
    items: int = 10,
    split: str | None = None,
    part: str = "test",
) -> RunDiff:
    """Return how run ``second`` differs from run ``first``; ``items`` gained and lost are named.

    split: also by what it holds out in ``part``.

    Raises:
        UsageError: there is no such run or split, nothing to compare by, or a run is not merged
            yet or was pruned.
    """
    with engine.connect() as connection:
        unhurried(connection)
        a = run_rows.find_with_lists(connection, first)
        b = run_rows.find_with_lists(connection, second)
        before, after = Lists(a.run_no), Lists(b.run_no)
        return RunDiff(
            **asdict(diff_lists(connection, before, after, items=items)),
            a=a.run_id,
            b=b.run_id,
            users_with_other_queries=_other_queries(connection, a, b),
            changed_inputs=changed_entries(a.manifest, b.manifest),
            metrics=metric_deltas(connection, before, after, (a, b), split, part)
            if split
            else None,
        )


def diff_lists(connection: Connection, a: Lists, b: Lists, *, items: int = 10) -> ListsDiff:
    """Return how lists ``b`` differ from lists ``a``; ``items`` gained and lost are named."""
    statement = text(_LISTS.format(a=a.table, b=b.table))
    row = connection.execute(statement, {"a": a.run_no, "b": b.run_no}).one()
    return ListsDiff(
        users_in_both=row.both,
        users_only_in_a=row.only_a,
        users_only_in_b=row.only_b,
        equal_lists=row.equal,
        mean_jaccard=row.mean,
        deciles=row.deciles or [],
        gained=_moved(connection, a, b, items),
        lost=_moved(connection, b, a, items),
    )


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
SELECT count(*) FILTER (WHERE a IS NOT NULL AND b IS NOT NULL) AS both,
       count(*) FILTER (WHERE b IS NULL) AS only_a,
       count(*) FILTER (WHERE a IS NULL) AS only_b,
       count(*) FILTER (WHERE a = b) AS equal,
       avg(jaccard) AS mean,
       percentile_cont(ARRAY[0, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1])
           WITHIN GROUP (ORDER BY jaccard) AS deciles
FROM d
"""


def _moved(connection: Connection, old: Lists, new: Lists, limit: int) -> list[dict[str, Any]]:
    """Return the items that most users have in ``new`` but not in ``old``."""
    found = connection.execute(
        # Only names of tables are put in; values are bound.
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
    return [dict(row) for row in found.mappings()]


def _other_queries(connection: Connection, a: Run, b: Run) -> int:
    """Return how many users of both runs have another list of query texts."""
    generations = """
        SELECT u.user_no, array_agg(q.query_no ORDER BY q.rank) AS queries
        FROM run_users AS u JOIN generations AS g ON g.prompt_no = u.prompt_no
            AND g.content_hash = :{0}_hash AND g.decoding_no = :{0}_decoding
        JOIN generated_queries AS q USING (generation_no)
        WHERE u.run_no = :{0}_no GROUP BY u.user_no
    """
    # Only the names a and b are put in; values are bound.
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


def changed_entries(a: dict[str, Any], b: dict[str, Any], prefix: str = "") -> dict[str, list[Any]]:
    """Return manifest entries that differ, by dotted name, as [value in a, value in b]."""
    changed: dict[str, list[Any]] = {}
    for key in sorted({*a, *b}):
        old, new = a.get(key), b.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            changed |= changed_entries(old, new, f"{prefix}{key}.")
        elif old != new:
            changed[prefix + key] = [old, new]
    return changed
