"""Start nights: exactly one run per kind and date is completed, however often it is started.

Dates are in the schedule's time zone, passed in; leases use the database's clock.
"""

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.rows import audit
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.shards import has_live_lease
from gpt4rec_es.db.tables import UNFINISHED
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.plan import plan_run
from gpt4rec_es.options.night import NightOptions
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.version import code_version

log = logging.getLogger(__name__)

KIND = "nightly"


@dataclass(frozen=True, slots=True)
class Due:
    """What a scheduler has to do, and the run that decides it; None: there is no run yet."""

    action: Literal["plan", "resume", "supersede", "wait for other code", "nothing"]
    run: Run | None


@dataclass(frozen=True, slots=True)
class Started:
    """The run to work on, and whether this call planned it."""

    run: Run
    is_new: bool


def start_night(
    parts: NightParts,
    options: NightOptions,
    logical_date: dt.date,
    *,
    supersede: bool = False,
    progress: Progress = no_progress,
) -> Started:
    """Return the unfinished night, or plan a new attempt for ``logical_date``.

    supersede: end an unfinished run first; its generations and searches are used again.

    Raises:
        ConflictError: the unfinished run has another code version, a later night is published, or
        another process is planning.
    """
    unfinished = retrying(parts.engine, lambda c: run_rows.unfinished(c, KIND))
    if unfinished and supersede:
        for run in unfinished:
            stop_run(parts, run, "superseded", "superseded by a new night")
        unfinished = []
    if unfinished:
        return Started(_resumable(unfinished[0], logical_date), is_new=False)
    require_publishable(parts, logical_date)
    return Started(plan_run(parts, options, logical_date, progress=progress), is_new=True)


def require_publishable(parts: NightParts, logical_date: dt.date) -> None:
    """Check before any work that a night of ``logical_date`` could be published.

    Raises:
        ConflictError: a night of a later date is published.
    """
    latest = retrying(parts.engine, lambda c: run_rows.load_published(c, KIND))
    if latest is not None and latest.logical_date > logical_date:
        raise ConflictError(
            f"A night for {logical_date} could not be published: {latest.run_id} is, for the later "
            f"date {latest.logical_date}.",
            f"If that date is wrong, withdraw it: `gpt4rec runs reject {latest.run_id} "
            "--reason 'why'`.",
        )


def _resumable(run: Run, logical_date: dt.date) -> Run:
    if run.code_version != code_version():
        raise ConflictError(
            f"Run {run.run_id} is unfinished and was planned by code {run.code_version}; "
            f"this is {code_version()}.",
            "Let workers of that code finish it, or give it up with `gpt4rec night --supersede`.",
        )
    log.warning(
        "run %s is unfinished and is resumed with the date and options of its planning%s; "
        "`gpt4rec night --supersede` drops it",
        run.run_id,
        "" if run.logical_date == logical_date else f", before a night for {logical_date}",
    )
    return run


def ensure_night(
    parts: NightParts,
    options: NightOptions,
    logical_date: dt.date,
    *,
    progress: Progress = no_progress,
) -> Started | None:
    """Start the night of ``logical_date`` unless it ran or runs; None: nothing to do.

    For schedulers that fire more than once. An unfinished run of other code without a lease is
    superseded: a deployment replaced its workers. After a rejected, failed or cancelled run of the
    date, nothing is started; an operator must decide.
    """
    due = look_for_due(parts, logical_date)
    if due.action == "resume" and due.run is not None:
        return Started(due.run, is_new=False)
    if due.action not in {"plan", "supersede"}:
        log.info("nothing is started for %s: %s", logical_date, due.action)
        return None
    supersede = due.action == "supersede"
    return start_night(parts, options, logical_date, supersede=supersede, progress=progress)


def look_for_due(parts: NightParts, logical_date: dt.date) -> Due:
    """Return what ``ensure_night`` would do now, without changes."""
    unfinished = retrying(parts.engine, lambda c: run_rows.unfinished(c, KIND))
    if unfinished and unfinished[0].code_version == code_version():
        return Due("resume", unfinished[0])
    is_worked_on = bool(unfinished) and retrying(
        parts.engine, lambda c: has_live_lease(c, unfinished[0].run_no)
    )
    if is_worked_on:
        return Due("wait for other code", unfinished[0])
    runs = retrying(parts.engine, lambda c: run_rows.of_date(c, KIND, logical_date))
    for run in runs:
        if run.state not in {"superseded", *UNFINISHED}:
            return Due("nothing", run)
    return Due("supersede", unfinished[0]) if unfinished else Due("plan", None)


def cancel(parts: NightParts, run_id: str, *, reason: str, dry_run: bool = False) -> Run:
    """Cancel an unfinished run and return it as it was; its workers stop at their next shard.

    dry_run: only check whether it is possible.

    Raises:
        UsageError: there is no such run, or it is finished.
    """
    run = retrying(parts.engine, lambda c: run_rows.find(c, run_id))
    if not dry_run:
        stop_run(parts, run, "cancelled", reason)
    elif run.is_finished:
        raise _finished(run, run.state)
    return run


def _finished(run: Run, state: str) -> UsageError:
    hint = "See `gpt4rec runs list`."
    if state == "published":
        hint = f"`gpt4rec runs reject {run.run_id} --reason 'why'` rejects it."
    return UsageError(f"Run {run.run_id} is {state} already.", hint)


def stop_run(parts: NightParts, run: Run, state: str, reason: str) -> None:
    """End an unfinished run as ``cancelled`` or ``superseded``; its workers stop at the next shard.

    Raises:
        UsageError: it is finished already.
    """

    def stop(connection: Connection) -> None:
        now = run_rows.lock_state(connection, run.run_no)
        if now not in UNFINISHED:
            raise _finished(run, now)
        run_rows.set_state(connection, run.run_no, state, reason)
        audit.record(
            connection,
            parts.actor,
            state,
            run.run_id,
            before={"state": now},
            after={"state": state},
            reason=reason,
        )

    retrying(parts.engine, stop)
