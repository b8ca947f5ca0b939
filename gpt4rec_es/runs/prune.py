"""Retention: old runs go by dropping their partitions, then what no kept run needs is collected.

Never touched: an unfinished run, the published one and the one before it, and what they need; nor
what was generated for a split. A prune that is cut off leaves less to do for the next one.
"""

import logging
import time
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from gpt4rec_es.db import audit, locks
from gpt4rec_es.db.engine import retrying, transaction
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.runs.options import NightParts

log = logging.getLogger(__name__)

_BATCH = 10_000
_TRIES = 20


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What was removed, or would be (then the row counts are None)."""

    runs: list[str]
    generations: int | None
    prompts: int | None
    searches: int | None
    queries: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


def prune(
    parts: NightParts,
    *,
    keep_published: int = 7,
    keep_rejected: int = 2,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> PruneReport:
    """Remove runs beyond the newest ``keep_published`` and ``keep_rejected``, and what they used.

    "Rejected" are all that ended without being published. A run is kept whole or loses its lists:
    its row, manifest and gates stay.

    Raises:
        ConflictError: a night is being planned, or readers kept a partition busy for too long.
    """
    engine = parts.engine
    with locks.hold_lock(engine, "plan nightly"):
        with engine.connect() as connection:
            old = connection.execute(
                _OLD, {"published": keep_published, "rejected": keep_rejected}
            ).all()
        names = [row.run_id for row in old]
        if dry_run:
            return PruneReport(names, None, None, None, None)
        for done, row in enumerate(old, start=1):
            _drop(parts, row.run_no, row.run_id)
            progress(done, len(old))
        counts = [_collect(parts, statement) for statement in _COLLECT]
    generations, prompts, searches, queries = counts
    return PruneReport(names, generations, prompts, searches, queries)


_OLD = text("""
WITH ended AS (
    SELECT run_no, run_id, row_number() OVER (
        PARTITION BY kind, state = 'published' ORDER BY logical_date DESC, attempt DESC) AS place,
        CASE WHEN state = 'published' THEN :published ELSE :rejected END AS keep
    FROM runs WHERE finished_at IS NOT NULL
      AND to_regclass('public.recommendations_' || run_no) IS NOT NULL
)
SELECT run_no, run_id FROM ended
WHERE place > keep
  AND run_no NOT IN (SELECT run_no FROM publications)
  AND run_no NOT IN (SELECT previous_run_no FROM publications WHERE previous_run_no IS NOT NULL)
ORDER BY run_no
""")


def _drop(parts: NightParts, run_no: int, run_id: str) -> None:
    """Drop one run's partitions; a reader in the way is waited for in short, polite tries."""

    def drop(connection: Connection) -> None:
        connection.execute(text("SELECT drop_run_partitions(:run_no)"), {"run_no": run_no})
        for table in ("shards", "run_popular"):
            connection.execute(
                text(f"DELETE FROM {table} WHERE run_no = :run_no"),  # noqa: S608 - names above
                {"run_no": run_no},
            )
        audit.record(connection, parts.actor, "prune", run_id)

    for attempt in range(_TRIES):
        try:
            with transaction(parts.engine) as connection:
                drop(connection)
        except DBAPIError as error:
            if getattr(error.orig, "pgcode", None) != "55P03":
                raise
        except Exception as error:
            if "lock timeout" not in str(error):
                raise
        else:
            return
        log.info("the lists of %s are being read; trying again", run_id)
        time.sleep(min(0.5 * 2**attempt, 10.0))
    raise ConflictError(
        f"The lists of {run_id} are being read all the time.",
        "End long analyst queries, then prune again; what was pruned so far stays so.",
    )


def _collect(parts: NightParts, statement: str) -> int:
    """Delete in batches what ``statement`` finds, each batch in a transaction of its own."""

    def delete(connection: Connection) -> int:
        return connection.execute(text(statement), {"batch": _BATCH}).rowcount

    total = 0
    while count := retrying(parts.engine, delete):
        total += count
    return total


# In this order: what refers goes before what it refers to.
_COLLECT = (
    """
    DELETE FROM generations WHERE generation_no IN (
        SELECT generation_no FROM generations AS g
        WHERE NOT EXISTS (SELECT FROM run_users AS u WHERE u.prompt_no = g.prompt_no)
          AND NOT EXISTS (SELECT FROM split_prompts AS s WHERE s.prompt_no = g.prompt_no)
        LIMIT :batch)
    """,
    """
    DELETE FROM prompts WHERE prompt_no IN (
        SELECT prompt_no FROM prompts AS p
        WHERE NOT EXISTS (SELECT FROM run_users AS u WHERE u.prompt_no = p.prompt_no)
          AND NOT EXISTS (SELECT FROM split_prompts AS s WHERE s.prompt_no = p.prompt_no)
          AND NOT EXISTS (SELECT FROM generations AS g WHERE g.prompt_no = p.prompt_no)
        LIMIT :batch)
    """,
    # A deleted index' searches still explain the runs that used it.
    """
    DELETE FROM searches WHERE (build_no, query_no, depth) IN (
        SELECT build_no, query_no, depth FROM searches AS s
        WHERE s.build_no IN (SELECT build_no FROM builds WHERE state = 'deleted')
          AND s.build_no NOT IN (
              SELECT build_no FROM runs
              WHERE to_regclass('public.recommendations_' || run_no) IS NOT NULL)
        LIMIT :batch)
    """,
    """
    DELETE FROM queries WHERE query_no IN (
        SELECT query_no FROM queries AS q
        WHERE NOT EXISTS (SELECT FROM generated_queries AS g WHERE g.query_no = q.query_no)
          AND NOT EXISTS (SELECT FROM searches AS s WHERE s.query_no = q.query_no)
          AND NOT EXISTS (SELECT FROM run_users AS u WHERE u.last_query_no = q.query_no)
        LIMIT :batch)
    """,
)
