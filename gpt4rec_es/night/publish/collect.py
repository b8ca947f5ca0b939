"""Collecting what no kept run needs, a batch at a time: generations, prompts, searches, queries.

Each table is gone through once, in order of its numbers, so the work grows with its rows alone.
A batch is one short transaction that holds the lock ``locks.TEXTS`` alone: whoever plans a night
or stores queries shares that lock, so what they just referred to is seen before it is judged.
Whatever is added that refers to these tables by number must be asked about here.
"""

import time
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import session
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.protocols import Progress, no_progress

# A waiting batch makes those wait who come after it: it lets them pass every so often.
_LOCK_TRY_S = 0.5
_PAUSE_S = 0.5


@dataclass(slots=True)
class Collected:
    """How many rows of each table were deleted."""

    generations: int = 0
    prompts: int = 0
    searches: int = 0
    queries: int = 0
    co_purchase_sets: int = 0


def collect(
    engine: Engine,
    *,
    batch: int = 10_000,
    patience_s: float = 3600,
    progress: Progress = no_progress,
) -> Collected:
    """Delete what no run with lists and no split needs, and return how much that was.

    batch: prompts or queries looked at in one transaction. patience_s: how long each batch waits
    for the planning of a night. ``progress`` counts the prompts and queries that were looked at.

    Raises:
        ConflictError: a night was planned for all that time; what was collected stays so.
        DependencyError: Postgres went away.
    """
    with session(engine) as connection:
        return _collect(connection, batch, patience_s, progress)


def _collect(
    connection: Connection, batch: int, patience_s: float, progress: Progress
) -> Collected:
    known = _know_what_is_needed(connection, patience_s)
    total = connection.execute(text(_COUNT)).scalar_one()
    connection.commit()
    counts, looked_at = Collected(), 0
    for next_numbers, deletes in (
        (_NEXT_PROMPTS, (("generations", _GENERATIONS), ("prompts", _PROMPTS))),
        (_NEXT_QUERIES, (("searches", _SEARCHES), ("queries", _QUERIES))),
    ):
        after = 0
        while True:
            with connection.begin():
                _lock_alone(connection, patience_s)
                values = {"after": after, "batch": batch, "known": known}
                found = connection.execute(text(next_numbers), values).one()
                if found.upto is None:
                    break
                values["upto"] = found.upto
                for name, statement in deletes:
                    deleted = connection.execute(text(statement), values).rowcount
                    setattr(counts, name, getattr(counts, name) + deleted)
            after = found.upto
            looked_at += found.n
            progress(looked_at, max(total, looked_at))
    with connection.begin():
        _lock_alone(connection, patience_s)
        counts.co_purchase_sets = connection.execute(text(_CO_PURCHASE_SETS)).rowcount
    return counts


def _know_what_is_needed(connection: Connection, patience_s: float) -> int:
    """Write down which prompts and queries runs use; return the number of the newest such run.

    Later runs have higher numbers: with the lock, no plan is under way when that is read. They are
    asked about by each batch; those known can only become less.
    """
    with connection.begin():
        _lock_alone(connection, patience_s)
        known = connection.execute(text("SELECT coalesce(max(run_no), 0) FROM runs")).scalar_one()
    with connection.begin():
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in _NEEDED:
            connection.execute(text(statement))
    return int(known)


def _lock_alone(connection: Connection, patience_s: float) -> None:
    """Take the lock for this transaction, in short tries between which others may pass."""
    end = time.monotonic() + patience_s
    connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TRY_S}s'"))
    while True:
        try:
            with connection.begin_nested():
                locks.transaction_lock(connection, locks.TEXTS)
        except ConflictError as error:
            if time.monotonic() > end:
                raise ConflictError(
                    "A night is being planned, or stores queries all the time.",
                    "Prune again later; what was pruned so far stays so.",
                ) from error
        else:
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            return
        time.sleep(_PAUSE_S)


# ---------------------------------------------------------------- statements

_COUNT = "SELECT (SELECT count(*) FROM prompts) + (SELECT count(*) FROM queries)"
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
_NEXT_PROMPTS = """
    SELECT max(no) AS upto, count(*) AS n FROM (
        SELECT prompt_no AS no FROM prompts WHERE prompt_no > :after ORDER BY 1 LIMIT :batch) AS b
"""
_NEXT_QUERIES = """
    SELECT max(no) AS upto, count(*) AS n FROM (
        SELECT query_no AS no FROM queries WHERE query_no > :after ORDER BY 1 LIMIT :batch) AS b
"""
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
# A deleted index' searches still explain the runs that used it.
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
# One of the data as they are now serves the next night; a young one may be in use by a replay.
_CO_PURCHASE_SETS = """
    DELETE FROM co_purchase_sets AS x
    WHERE NOT EXISTS (SELECT FROM runs AS r WHERE r.co_purchase_set_no = x.set_no)
    AND x.created_at < clock_timestamp() - interval '1 day'
    AND NOT EXISTS (SELECT FROM catalog_state AS s WHERE s.history_version = x.history_version
                    AND s.catalog_version = x.catalog_version)
"""
