"""Retention: delete the lists of old runs, then the texts and vectors that no kept run needs.

Never deleted: unfinished and pinned runs, the published run and the one before it, the texts that
they need, and generations for splits. Of a pruned run that readers saw, the recommendations and
their queries stay for 35 days after others replaced them, and what they are compared with
(night/quality) is kept before anything is deleted. A run is first marked, so that it cannot
be published any more, then its partitions are dropped; the next prune completes an interrupted one.
Daily sums stay.
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
from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.errors import LOCK_TIMEOUT, dependency_error, is_transient, sqlstate
from gpt4rec_es.db.rows import audit, daily
from gpt4rec_es.db.rows import prune as rows
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.quality_kept import keep_users
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.publish.collect import Collected, collect
from gpt4rec_es.night.publish.prune_lock import lock_alone
from gpt4rec_es.night.quality.titles import search_titles
from gpt4rec_es.protocols import Progress, no_progress

log = logging.getLogger(__name__)

_MAX_WAIT_S = 600.0


@dataclass(frozen=True, slots=True)
class PruneReport:
    """Result of a prune, or of a dry run (then the row counts are None)."""

    runs: list[str]
    generations: int | None = None
    prompts: int | None = None
    searches: int | None = None
    queries: int | None = None
    co_purchase_sets: int | None = None
    item_vectors: int | None = None

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
    max_wait_s: float = _MAX_WAIT_S,
    progress: Progress = no_progress,
) -> PruneReport:
    """Prune runs older than the newest ``keep_published`` and ``keep_rejected``, and their texts.

    "Rejected" are all runs that ended without being published. A pruned run loses its lists; its
    row, manifest and gate results stay. owner: an engine with the privileges of the schema's owner;
    with it new readers never wait, without it at most a second. max_wait_s: maximum wait for
    readers of one run's lists, in seconds. ``progress`` counts runs, then texts.

    Raises:
        ConflictError: another prune is running, or readers held locks on lists for too long.
        DependencyError: a server was lost; completed steps stay. Elasticsearch is needed for runs
            whose recipe does not search newest titles.
    """
    engine = parts.engine

    find_old = partial(rows.old_runs, published=keep_published, rejected=keep_rejected)
    if dry_run:
        return PruneReport([run.run_id for run in retrying(engine, find_old)])
    with locks.hold_lock(engine, "prune"):
        old, dropped = retrying(engine, find_old), []
        for done, run in enumerate(old, start=1):
            _keep_judged(parts, run)
            if _mark_pruned(parts, run, find_old, max_wait_s):
                _drop_partitions(parts, owner, run, max_wait_s)
                dropped.append(run.run_id)
            progress(done, len(old))
        counts: Collected = collect(engine, progress=progress)
    return PruneReport(dropped, **asdict(counts))


def _keep_judged(parts: NightParts, old: rows.OldRun) -> None:
    """Keep what the lists of a run are compared with, if they stay."""
    run = retrying(parts.engine, partial(run_rows.load, run_no=old.run_no))
    was_shown = partial(rows.was_shown_lately, run_no=old.run_no)
    if run.pruned_at is None and retrying(parts.engine, was_shown):
        search_titles(parts, run)
        retrying(parts.engine, partial(keep_users, run=run))


def _mark_pruned(
    parts: NightParts,
    old: rows.OldRun,
    find_old: Callable[[Connection], list[rows.OldRun]],
    max_wait_s: float,
) -> bool:
    """Mark the run as pruned, so that it cannot be published; False: the run is needed again."""
    run_no = old.run_no

    def mark(connection: Connection) -> bool:
        # No planner works meanwhile, whose run may count these lists as recently shown.
        lock_alone(connection, max_wait_s)
        # Locks in the order in which publishing takes them.
        run_rows.lock_state(connection, run_no)
        run = run_rows.load(connection, run_no)
        locks.transaction_lock(connection, f"publish {run.kind}")
        if run.is_pinned or run_no in run_rows.shown(connection, run.kind):
            return False
        # A run that was planned meanwhile may count it as shown, finished or not.
        if _counts_as_shown(connection, run_no) or old not in find_old(connection):
            return False
        if run.pruned_at is None:
            run_rows.mark_pruned(connection, run_no)
            audit.record(connection, parts.actor, "prune", run.run_id)
        rows.delete_work(connection, run_no, keep_judged=rows.was_shown_lately(connection, run_no))
        if not daily.counts(connection, run_no):
            daily.delete_daily(connection, run_no)
        rows.delete_rule_items(connection, run_no)
        return True

    return retrying(parts.engine, mark)


def _counts_as_shown(connection: Connection, run_no: int) -> bool:
    """Return whether an unfinished run reads this run's lists as recently shown."""
    return any(
        run_no in run.manifest.get("rules", {}).get("shown_runs", ())
        for run in run_rows.unfinished(connection)
    )


def _drop_partitions(
    parts: NightParts, owner: Engine | None, run: rows.OldRun, max_wait_s: float
) -> None:
    """Drop the partitions of a marked run; lists that readers saw lately stay for analysts."""
    keep_lists = retrying(parts.engine, partial(rows.was_shown_lately, run_no=run.run_no))

    def drop() -> None:
        with parts.engine.begin() as connection:
            rows.drop_partitions(connection, run.run_no, keep_lists=keep_lists)
            if not keep_lists:
                # They were kept if the lists were shown lately when the run was marked.
                rows.delete_work(connection, run.run_no, keep_judged=False)

    def detach(owner: Engine, parent: str) -> None:
        with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            rows.detach(connection, parent, run.run_no)

    if owner is not None and _owns_the_lists(owner):
        for parent in rows.PARENTS[:-1] if keep_lists else rows.PARENTS:
            _retry_on_lock_timeout(owner, partial(detach, owner, parent), run.run_id, max_wait_s)
    _retry_on_lock_timeout(parts.engine, drop, run.run_id, max_wait_s)


def _owns_the_lists(owner: Engine) -> bool:
    with owner.connect() as connection:
        return rows.may_detach(connection)


def _retry_on_lock_timeout(
    engine: Engine, act: Callable[[], None], run_id: str, max_wait_s: float
) -> None:
    """Retry ``act``, which has a short lock time-out, for at most ``max_wait_s`` seconds."""
    end, wait = time.monotonic() + max_wait_s, 0.5
    while True:
        try:
            return act()
        except DBAPIError as error:
            if sqlstate(error) != LOCK_TIMEOUT:
                if is_transient(error):
                    raise dependency_error(error, engine.url) from error
                raise
            if time.monotonic() + wait > end:
                raise ConflictError(
                    f"Readers held the lists of {run_id} all the time.",
                    "End long analyst queries, then prune again; completed steps stay.",
                ) from error
        log.info("the lists of %s are being read; trying again", run_id)
        time.sleep(wait)
        wait = min(wait * 2, 10.0)
