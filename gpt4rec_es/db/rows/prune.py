"""Statements of retention: deleting lists of old runs, and texts that no kept run needs.

Tables of texts are scanned in order of number, so the work is linear in their rows. A new table
that refers to prompts or queries must be added to the conditions here.
"""

from typing import Literal, NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.db.engine import untimed

PARENTS = ("run_users", "user_outcomes", "recommendations")
Texts = Literal["prompts", "queries"]


class OldRun(NamedTuple):
    """A run whose lists are older than those kept."""

    run_no: int
    run_id: str


class Slice(NamedTuple):
    """A batch of rows by number: the last number and the number of rows."""

    upto: int
    n: int


# Includes runs that were marked by an interrupted prune. The lists that a kept run counts as
# recently shown are kept with it: without them it could be neither explained nor replayed.
_OLD = text("""
WITH ended AS (
    SELECT run_no, run_id, pruned_at, row_number() OVER (
        PARTITION BY kind, state = 'published', pruned_at IS NULL
        ORDER BY logical_date DESC, attempt DESC) AS place,
        CASE WHEN state = 'published' THEN :published ELSE :rejected END AS keep
    FROM runs WHERE finished_at IS NOT NULL AND NOT is_pinned
), old AS (
SELECT run_no, run_id, pruned_at FROM ended
WHERE (pruned_at IS NULL AND place > keep
       OR pruned_at IS NOT NULL
       AND to_regclass('public.recommendations_' || run_no) IS NOT NULL)
  AND run_no NOT IN (SELECT run_no FROM publications)
  AND run_no NOT IN (SELECT previous_run_no FROM publications WHERE previous_run_no IS NOT NULL)
)
SELECT run_no, run_id FROM old
WHERE pruned_at IS NOT NULL OR run_no NOT IN (
    SELECT cast(shown AS integer) FROM runs AS r
    CROSS JOIN jsonb_array_elements_text(r.manifest #> '{rules,shown_runs}') AS shown
    WHERE r.pruned_at IS NULL AND r.run_no NOT IN (SELECT run_no FROM old))
ORDER BY run_no
""")


def old_runs(connection: Connection, *, published: int, rejected: int) -> list[OldRun]:
    """Return the runs older than the newest N published and the newest M unpublished ones."""
    found = connection.execute(_OLD, {"published": published, "rejected": rejected})
    return [OldRun(*row) for row in found]


def delete_work(connection: Connection, run_no: int) -> None:
    """Delete a run's working rows that are not in its partitions."""
    for table in ("shards", "run_popular", "run_titles", "run_brands"):
        connection.execute(
            text(f"DELETE FROM {table} WHERE run_no = :run_no"),  # noqa: S608 - names above
            {"run_no": run_no},
        )
    connection.execute(
        text("UPDATE runs SET co_purchase_set_no = NULL WHERE run_no = :run_no"),
        {"run_no": run_no},
    )


def delete_rule_items(connection: Connection, run_no: int) -> None:
    """Delete the item lists of a run's rules; the rules stay."""
    connection.execute(
        text("UPDATE run_rules SET item_nos = NULL WHERE run_no = :run_no"), {"run_no": run_no}
    )


def drop_partitions(connection: Connection, run_no: int) -> None:
    """Drop a run's lists; a lock time-out raises the database's own error."""
    connection.execute(text("SELECT drop_run_partitions(:run_no)"), {"run_no": run_no})


def may_detach(connection: Connection) -> bool:
    """Return whether this role has the privileges of the tables' owner."""
    found = connection.execute(
        text(
            "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class "
            "WHERE oid = 'public.run_users'::regclass"
        )
    )
    return bool(found.scalar_one())


def detach(connection: Connection, parent: str, run_no: int) -> None:
    """Detach a run's partition from a table of ``PARENTS`` concurrently.

    It waits for transactions that read the table and does not block new readers. After an
    interruption the next call completes it. The connection must be in autocommit; a lock time-out
    raises the database's own error.
    """
    part = f"{parent}_{run_no}"
    connection.execute(text("SET lock_timeout = '2s'"))
    try:
        pending = connection.execute(
            text("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass(:part)"),
            {"part": f"public.{part}"},
        ).scalar_one_or_none()
        if pending is not None:
            how = "FINALIZE" if pending else "CONCURRENTLY"
            connection.execute(
                text(f"ALTER TABLE public.{parent} DETACH PARTITION public.{part} {how}")
            )
    finally:
        connection.execute(text("RESET lock_timeout"))


def newest_run(connection: Connection) -> int:
    """Return the number of the newest run in any state; 0: there is none."""
    found = connection.execute(text("SELECT coalesce(max(run_no), 0) FROM runs"))
    return int(found.scalar_one())


def count_texts(connection: Connection) -> int:
    """Return the number of prompts plus the number of queries."""
    found = connection.execute(
        text("SELECT (SELECT count(*) FROM prompts) + (SELECT count(*) FROM queries)")
    )
    return int(found.scalar_one())


def record_needed(connection: Connection) -> None:
    """Store in temporary tables which prompts and queries runs use now."""
    untimed(connection)
    for statement in _NEEDED:
        connection.execute(text(statement))


def next_slice(connection: Connection, texts: Texts, after: int, most: int) -> Slice | None:
    """Return the next ``most`` prompts or queries after number ``after``; None: no more."""
    row = connection.execute(text(_NEXT[texts]), {"after": after, "most": most}).one()
    return None if row.upto is None else Slice(row.upto, row.n)


def delete_unused(
    connection: Connection, texts: Texts, after: int, upto: int, known: int
) -> dict[str, int]:
    """Delete unused rows between two numbers; return table -> number of rows deleted.

    Prompts are deleted with their generations, queries with their searches. known: number of the
    last run covered by ``record_needed``; later runs are checked here.
    """
    values = {"after": after, "upto": upto, "known": known}
    return {
        table: connection.execute(text(statement), values).rowcount
        for table, statement in _DELETE[texts].items()
    }


def delete_co_purchases(connection: Connection) -> int:
    """Delete the co-purchase sets that no run needs; return their number."""
    return connection.execute(text(_CO_PURCHASE_SETS)).rowcount


_NEEDED_PROMPTS = """
    CREATE TEMP TABLE needed_prompts AS
    SELECT DISTINCT prompt_no FROM run_users WHERE prompt_no IS NOT NULL
"""
_NEEDED_QUERIES = """
    CREATE TEMP TABLE needed_queries AS
    SELECT last_query_no AS query_no FROM run_users WHERE last_query_no IS NOT NULL
    UNION SELECT query_no FROM run_titles
"""
_NEEDED = (
    _NEEDED_PROMPTS,
    "CREATE UNIQUE INDEX ON needed_prompts (prompt_no)",
    "ANALYZE needed_prompts",
    _NEEDED_QUERIES,
    "CREATE UNIQUE INDEX ON needed_queries (query_no)",
    "ANALYZE needed_queries",
)
_NEXT = {
    "prompts": """
    SELECT max(no) AS upto, count(*) AS n FROM (
        SELECT prompt_no AS no FROM prompts WHERE prompt_no > :after ORDER BY 1 LIMIT :most) AS b
    """,
    "queries": """
    SELECT max(no) AS upto, count(*) AS n FROM (
        SELECT query_no AS no FROM queries WHERE query_no > :after ORDER BY 1 LIMIT :most) AS b
    """,
}
_UNUSED_PROMPT = """
    AND NOT EXISTS (SELECT FROM needed_prompts AS n WHERE n.prompt_no = x.prompt_no)
    AND NOT EXISTS (SELECT FROM split_prompts AS s WHERE s.prompt_no = x.prompt_no)
    AND NOT EXISTS (SELECT FROM run_users AS u
                    WHERE u.run_no > :known AND u.prompt_no = x.prompt_no)
"""
_UNUSED_QUERY = """
        NOT EXISTS (SELECT FROM generated_queries AS g WHERE g.query_no = x.query_no)
        AND NOT EXISTS (SELECT FROM needed_queries AS n WHERE n.query_no = x.query_no)
        AND NOT EXISTS (SELECT FROM run_users AS u
                        WHERE u.run_no > :known AND u.last_query_no = x.query_no)
        AND NOT EXISTS (SELECT FROM run_titles AS t
                        WHERE t.run_no > :known AND t.query_no = x.query_no)
"""
# S608: only the constants above are put in.
_GENERATIONS = f"""
    DELETE FROM generations AS x
    WHERE x.prompt_no > :after AND x.prompt_no <= :upto {_UNUSED_PROMPT}
"""  # noqa: S608
_PROMPTS = f"""
    DELETE FROM prompts AS x
    WHERE x.prompt_no > :after AND x.prompt_no <= :upto {_UNUSED_PROMPT}
"""  # noqa: S608
# Searches of a deleted index still explain the runs that used it.
_SEARCHES = f"""
    DELETE FROM searches AS x
    WHERE x.query_no > :after AND x.query_no <= :upto AND (
        x.build_no IN (
            SELECT build_no FROM builds WHERE state = 'deleted'
            EXCEPT SELECT build_no FROM runs WHERE pruned_at IS NULL)
        OR {_UNUSED_QUERY})
"""  # noqa: S608
_QUERIES = f"""
    DELETE FROM queries AS x
    WHERE x.query_no > :after AND x.query_no <= :upto AND {_UNUSED_QUERY}
        AND NOT EXISTS (SELECT FROM daily_queries AS d WHERE d.query_no = x.query_no)
"""  # noqa: S608
# In this order: a row is deleted before the rows that it refers to.
_DELETE = {
    "prompts": {"generations": _GENERATIONS, "prompts": _PROMPTS},
    "queries": {"searches": _SEARCHES, "queries": _QUERIES},
}
# Kept: a set of the current data, for the next night, and a new one, which a replay may be using.
_CO_PURCHASE_SETS = """
    DELETE FROM co_purchase_sets AS x
    WHERE NOT EXISTS (SELECT FROM runs AS r WHERE r.co_purchase_set_no = x.set_no)
    AND x.created_at < clock_timestamp() - interval '1 day'
    AND NOT EXISTS (SELECT FROM catalog_state AS s WHERE s.history_version = x.history_version
                    AND s.catalog_version = x.catalog_version)
"""
