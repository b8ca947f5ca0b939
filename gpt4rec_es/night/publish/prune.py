"""Retention: old runs lose their lists, then what no kept run needs is collected.

Never touched: unfinished and pinned runs, the published one and the one before it, and what they
need; nor what was generated for a split. A run is first marked, so that nobody can publish it any
more, then its partitions go; a prune that is cut off in between is completed by the next one.
The sums of each date stay.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import dependency_error, is_transient, retrying
from gpt4rec_es.db.rows import audit, daily
from gpt4rec_es.db.rows import prune as rows
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.publish.collect import Collected, collect
from gpt4rec_es.protocols import Progress, no_progress

log = logging.getLogger(__name__)

_PATIENCE_S = 600.0
_LOCK_TIMEOUT = "55P03"


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What was removed, or would be (then the row counts are None)."""

    runs: list[str]
    generations: int | None = None
    prompts: int | None = None
    searches: int | None = None
    queries: int | None = None
    co_purchase_sets: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


def prune(
    parts: NightParts,
    *,
    owner: Engine | None = None,
    keep_published: int = 7,
    keep_rejected: int = 2,
    dry_run: bool = False,
    patience_s: float = _PATIENCE_S,
    progress: Progress = no_progress,
) -> PruneReport:
    """Remove runs beyond the newest ``keep_published`` and ``keep_rejected``, and what they used.

    "Rejected" are all that ended without being published. A run is kept whole or loses its lists:
    its row, manifest and gates stay. owner: an engine with the rights of the schema's owner, with
    which new readers never wait; without it they may, for a second at most. patience_s: how long
    readers of one run's lists are waited for. ``progress`` counts runs, then texts.

    Raises:
        ConflictError: another prune is under way, or readers kept lists busy for too long.
    """
    engine = parts.engine

    def old_runs() -> list[rows.OldRun]:
        with engine.connect() as connection:
            return rows.old_runs(connection, published=keep_published, rejected=keep_rejected)

    if dry_run:
        return PruneReport([run.run_id for run in old_runs()])
    with locks.hold_lock(engine, "prune"):
        old, dropped = old_runs(), []
        for done, run in enumerate(old, start=1):
            if _mark_pruned(parts, run.run_no):
                _drop_partitions(parts, owner, run, patience_s)
                dropped.append(run.run_id)
            progress(done, len(old))
        counts: Collected = collect(engine, progress=progress)
    return PruneReport(dropped, **asdict(counts))


def _mark_pruned(parts: NightParts, run_no: int) -> bool:
    """Mark the run so that it cannot be published any more; False: it is needed by now."""

    def mark(connection: Connection) -> bool:
        # In the order in which publishing takes them.
        run_rows.lock_state(connection, run_no)
        run = run_rows.load(connection, run_no)
        locks.transaction_lock(connection, f"publish {run.kind}")
        if run.is_pinned or run_no in run_rows.shown(connection, run.kind):
            return False
        if _counts_as_shown(connection, run_no):
            return False
        if run.pruned_at is None:
            run_rows.mark_pruned(connection, run_no)
            audit.record(connection, parts.actor, "prune", run.run_id)
        rows.delete_work(connection, run_no)
        if not daily.counts(connection, run_no):
            daily.delete_daily(connection, run_no)
        rows.forget_ruled_out(connection, run_no)
        return True

    return retrying(parts.engine, mark)


def _counts_as_shown(connection: Connection, run_no: int) -> bool:
    """Return whether an unfinished run leaves out what this one showed."""
    return any(
        run_no in run.manifest.get("rules", {}).get("shown_runs", ())
        for run in run_rows.unfinished(connection)
    )


def _drop_partitions(
    parts: NightParts, owner: Engine | None, run: rows.OldRun, patience_s: float
) -> None:
    def drop() -> None:
        with parts.engine.begin() as connection:
            rows.drop_partitions(connection, run.run_no)

    def detach(owner: Engine, parent: str) -> None:
        with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            rows.detach(connection, parent, run.run_no)

    if owner is not None and _owns_the_lists(owner):
        for parent in rows.PARENTS:
            _retry_on_lock_timeout(owner, partial(detach, owner, parent), run.run_id, patience_s)
    _retry_on_lock_timeout(parts.engine, drop, run.run_id, patience_s)


def _owns_the_lists(owner: Engine) -> bool:
    with owner.connect() as connection:
        return rows.may_detach(connection)


def _retry_on_lock_timeout(
    engine: Engine, act: Callable[[], None], run_id: str, patience_s: float
) -> None:
    """Do ``act``, which gives up soon behind readers, again and again until it comes through."""
    end, wait = time.monotonic() + patience_s, 0.5
    while True:
        try:
            return act()
        except DBAPIError as error:
            if getattr(error.orig, "pgcode", None) != _LOCK_TIMEOUT:
                if is_transient(error):
                    raise dependency_error(error, engine.url) from error
                raise
            if time.monotonic() + wait > end:
                raise ConflictError(
                    f"The lists of {run_id} are being read all the time.",
                    "End long analyst queries, then prune again; what was pruned so far stays so.",
                ) from error
        log.info("the lists of %s are being read; trying again", run_id)
        time.sleep(wait)
        wait = min(wait * 2, 10.0)
