"""Statements of retention on texts: which prompts and queries runs need, and deleting the others.

Tables of texts are scanned in order of number, so the work is linear in their rows. A new table
that refers to prompts or queries must be added to the conditions here.
"""

from typing import Literal, NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.db.engine import untimed

Texts = Literal["prompts", "queries"]


class Slice(NamedTuple):
    """A batch of rows by number: the last number and the number of rows."""

    upto: int
    n: int


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
    UNION SELECT c.query_no FROM recommendations AS c JOIN runs AS r USING (run_no)
    WHERE r.pruned_at IS NOT NULL AND c.query_no IS NOT NULL
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
    AND NOT EXISTS (SELECT FROM held_out_users AS h WHERE h.prompt_no = x.prompt_no)
    AND NOT EXISTS (SELECT FROM run_users AS u
                    WHERE u.run_no > :known AND u.prompt_no = x.prompt_no)
"""
_UNUSED_QUERY = """
        NOT EXISTS (SELECT FROM generated_queries AS g WHERE g.query_no = x.query_no)
        AND NOT EXISTS (SELECT FROM needed_queries AS n WHERE n.query_no = x.query_no)
        AND NOT EXISTS (SELECT FROM held_out_users AS h WHERE h.last_query_no = x.query_no)
        AND NOT EXISTS (SELECT FROM run_users AS u
                        WHERE u.run_no > :known AND u.last_query_no = x.query_no)
        AND NOT EXISTS (SELECT FROM run_titles AS t
                        WHERE t.run_no > :known AND t.query_no = x.query_no)
"""
# A night with other titles copies what is still valid, so that its prompts have newer generations.
_TITLES_OF_BEFORE = """
    x.decoding_no IN (SELECT decoding_no FROM decodings WHERE jsonb_exists(settings, 'titles')
                      EXCEPT SELECT decoding_no FROM runs WHERE pruned_at IS NULL)
    AND NOT EXISTS (SELECT FROM split_prompts AS s WHERE s.prompt_no = x.prompt_no)
"""
# S608: only the constants above are put in.
_GENERATIONS = f"""
    DELETE FROM generations AS x
    WHERE x.prompt_no > :after AND x.prompt_no <= :upto
        AND (true {_UNUSED_PROMPT} OR {_TITLES_OF_BEFORE})
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
