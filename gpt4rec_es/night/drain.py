"""Drain a run: work on its shards one by one until the stage, or the run, is done.

The in-process night and the Celery workers use the same loop, so both store the same rows.
"""

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.errors import DATABASE_ERRORS
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows import shards as shard_rows
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.shards import Shard
from gpt4rec_es.db.tables import STAGES
from gpt4rec_es.errors import (
    ConflictError,
    DependencyError,
    LeaseLostError,
    LockedError,
    UsageError,
)
from gpt4rec_es.gc_freeze import freeze_gc
from gpt4rec_es.logs import scrub
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.publish.publish import check_and_publish
from gpt4rec_es.night.stages.advance import STAGE_OF, advance
from gpt4rec_es.night.stages.dispatch import DrainCounts, StageWork
from gpt4rec_es.night.stages.leases import (
    Work,
    as_dependency_error,
    finish,
    give_back,
    is_outage,
    kept_alive,
)
from gpt4rec_es.night.stages.merge import failed_user
from gpt4rec_es.options.night import NightOptions
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.version import code_version

log = logging.getLogger(__name__)

# Seconds between checks while other workers hold all shards of the stage.
_POLL_SECONDS = 0.5
_REPORT_SECONDS = 1.0
# Seconds to wait at once for another process that checks the run.
_CHECK_WAIT_S = 5.0


@dataclass(frozen=True)
class DrainReport:
    """The run after a drain, and the counts of this drain."""

    run: Run
    counts: DrainCounts


def drain(
    parts: NightParts,
    options: NightOptions,
    run_no: int,
    owner: str,
    stages: Collection[str] = STAGES,
    *,
    progress: Progress = no_progress,
    should_stop: Callable[[], bool] = lambda: False,
) -> DrainReport:
    """Work on ``stages`` of a run until none of them has work left; publish after the last merge.

    It waits for shards that other workers hold, to take over those of killed workers. After losing
    a server it retries for up to ``options.max_outage_seconds``.

    Raises:
        ConflictError: the run was planned by other code.
        DependencyError: a server was unavailable for too long; finished shards are stored.
        GateError: the run was checked and rejected.
    """
    _require_own_code(run_now(parts, run_no))
    freeze_gc()
    work, reporter = StageWork(parts, options), ProgressReporter(parts, progress)
    outage_since: float | None = None
    while True:
        try:
            run = advance(parts.engine, run_no)
            reporter.report(run)
            if not _step(work, run, owner, stages) or should_stop():
                return DrainReport(run_now(parts, run_no), work.counts)
            outage_since = None
        except (DependencyError, *DATABASE_ERRORS) as error:
            if not is_outage(error):
                raise
            now = time.monotonic()
            outage_since = outage_since or now
            if now - outage_since > options.max_outage_seconds or should_stop():
                raise as_dependency_error(parts.engine, error) from error
            log.warning("waiting for a server: %s", scrub(str(error)).splitlines()[0])
            time.sleep(min(5.0, max(0.2, now - outage_since)))


class ProgressReporter:
    """Reports the progress of a stage about once a second, because it reads all shards."""

    def __init__(self, parts: NightParts, progress: Progress) -> None:
        self._engine, self._progress = parts.engine, progress
        self._stage: str | None = None
        self._last = 0.0

    def report(self, run: Run) -> None:
        """Report the progress of the run's stage, and always the end of the stage before."""
        if self._progress is no_progress:
            return
        stage = STAGE_OF.get(run.state)
        if self._stage not in {None, stage} or time.monotonic() - self._last >= _REPORT_SECONDS:
            known = self._stage or stage
            if known is not None:
                done, total = retrying(
                    self._engine, lambda c: shard_rows.members_done(c, run.run_no, known)
                )
                self._progress(done, total)
            self._last = time.monotonic()
        self._stage = stage


def run_now(parts: NightParts, run_no: int) -> Run:
    """Return the run with its current state."""
    return retrying(parts.engine, lambda connection: run_rows.load(connection, run_no))


def _require_own_code(run: Run) -> None:
    if run.code_version != code_version():
        raise ConflictError(
            f"Run {run.run_id} was planned by code {run.code_version}, this is {code_version()}.",
            "Let workers of that code finish it, or plan a new run: `gpt4rec night --supersede`.",
        )


def _step(work: StageWork, run: Run, owner: str, stages: Collection[str]) -> bool:
    """Do one shard, wait, or check and publish; return False if the stages have no work left."""
    if run.is_finished:
        return False
    if run.state == "checking":
        return "merge" in stages and _check(work.parts, run)
    stage = STAGE_OF.get(run.state)
    if stage is None:  # planned, and another worker is advancing it
        time.sleep(_POLL_SECONDS)
        return True
    if stage not in stages:
        return False
    engine = work.parts.engine
    shard = retrying(
        engine,
        lambda connection: shard_rows.claim(
            connection, run.run_no, stage, owner, work.options.lease_seconds
        ),
    )
    if shard is None:
        time.sleep(_POLL_SECONDS)
        return True
    _work_on(work, run, shard)
    return True


def _check(parts: NightParts, run: Run) -> bool:
    """Check and publish the run, or wait for the process that does; return whether to look again.

    The gates read all lists, so only one process runs them. After a canary there is more to do.
    """
    try:
        with locks.hold_lock(parts.engine, f"check {run.run_id}", wait_s=_CHECK_WAIT_S):
            run = run_now(parts, run.run_no)
            if run.state == "checking":
                check_and_publish(parts, run)
                return run.is_canary
            return not run.is_finished
    except LockedError:
        return True


def _work_on(work: StageWork, run: Run, shard: Shard) -> None:
    engine = work.parts.engine
    if shard.failures >= work.options.max_failures:
        _divide(work, run, shard)
        return
    try:
        with kept_alive(engine, shard, work.options.lease_seconds) as lease:
            finish(engine, shard, work.do(run, lease))
        work.counts.shards += 1
    except LeaseLostError as error:
        log.warning("shard %s: %s", shard.shard_no, error)
    except (KeyboardInterrupt, SystemExit) as error:
        give_back(engine, shard, error)
        raise
    except Exception as error:  # an error of one shard must not end the run
        give_back(engine, shard, error)
        if is_outage(error) or isinstance(error, ConflictError | UsageError):
            raise  # not caused by the shard's members: splitting would not help
        log.exception("shard %s failed, attempt %s", shard.shard_no, shard.attempt)


def _divide(work: StageWork, run: Run, shard: Shard) -> None:
    """Split a shard that keeps failing; a shard of one member is given up."""
    engine = work.parts.engine
    if len(shard.members) > 1:
        log.warning("shard %s keeps failing: split in two", shard.shard_no)
        retrying(engine, lambda connection: shard_rows.split(connection, shard))
        return
    error = retrying(engine, lambda connection: shard_rows.last_error(connection, shard))
    log.error("shard %s: member %s given up: %s", shard.shard_no, shard.members[0], error)
    if shard.stage == "merge":
        finish(engine, shard, failed_user(run, shard.members[0], error), error)
    else:
        finish(engine, shard, Work(lambda _: 0), error)
