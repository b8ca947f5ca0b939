"""Problems of runs that need an operator, each with its cause and a remedy.

Reads only. A problem is a text for operators; no code interprets it.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection

from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows import status as rows
from gpt4rec_es.db.rows.exports import incomplete_page
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.night.inspect.status import RunStatus, run_status
from gpt4rec_es.night.stages.advance import queue_of
from gpt4rec_es.version import code_version

# Workers look for work about every 15 seconds; a night in one process more often.
_IDLE_S = 60.0
_NAMED = 5
# As long as the alert Gpt4recNoWorker waits.
_STANDSTILL_S = 600.0


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: description with cause, and remedy."""

    what: str
    way_out: str


@dataclass(frozen=True, slots=True)
class Nights:
    """State of the nights: the newest run, the publication and its age, and problems.

    published_hours_ago: since readers see the run published_run_id; made_hours_ago: since its lists
    were complete, which is longer after a rollback; None: nothing is published.
    stuck: problems of the newest run, while it is unfinished. pages: a page of the published run
    that was not completed; the lists do not depend on it. alarms: stale lists, a failed gate,
    or a run that stands still.
    """

    published_run_id: str | None
    published_hours_ago: float | None
    made_hours_ago: float | None
    newest: RunStatus | None
    stuck: list[Problem]
    alarms: list[Problem]
    pages: list[Problem]

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


def nights(connection: Connection, *, max_age_hours: float, idle_s: float = _IDLE_S) -> Nights:
    """Return the state of the nights; lists older than ``max_age_hours`` are an alarm.

    idle_s: seconds without a worker after which a run is reported as stuck.
    """
    found = run_rows.newest(connection, 1)
    shown = rows.publication(connection)
    newest = run_status(connection, found[0]) if found else None
    stuck = list(_stuck(connection, found[0], idle_s)) if found else []
    run_id, age, made = shown or (None, None, None)
    alarms = list(_alarms(age, newest, max_age_hours))
    if found and not found[0].is_finished:
        alarms += _standstill(connection, found[0])
    return Nights(run_id, age, made, newest, stuck, alarms, list(_pages(connection, run_id)))


def _pages(connection: Connection, run_id: str | None) -> Iterator[Problem]:
    if run_id is not None and (place := incomplete_page(connection, run_id)):
        yield Problem(
            f"The page {place} was not completed; the lists are published.",
            f"Write it again: `gpt4rec report night {run_id}`.",
        )


def _standstill(connection: Connection, run: Run) -> Iterator[Problem]:
    """Yield an alarm if no shard was worked on for long, though workers may look alive."""
    inactive = rows.inactivity(connection, run.run_no)
    if inactive.is_idle and inactive.seconds > _STANDSTILL_S:
        yield Problem(
            f"{run.run_id} has stood still ({run.state}) for {inactive.seconds / 60:,.0f} minutes: "
            "no worker runs, or one hangs.",
            f"Restart the workers of queue {queue_of(run)}, or resume in one process: "
            "`gpt4rec night`.",
        )


def _alarms(age: float | None, newest: RunStatus | None, max_age_hours: float) -> Iterator[Problem]:
    if age is None:
        yield Problem("Nothing is published yet.", "Start a night: `gpt4rec night`.")
    elif age > max_age_hours:
        yield Problem(
            f"The last publication is {age:.1f} hours old, more than {max_age_hours:g}.",
            "Start the night that is due: `gpt4rec runs ensure`, or `gpt4rec night`.",
        )
    if newest and newest.state in {"rejected", "failed"}:
        yield Problem(
            f"The newest run {newest.run_id} was {newest.state}: "
            f"{(newest.error or 'no reason was recorded').rstrip('.')}.",
            f"`gpt4rec runs show {newest.run_id}` has the gates; fix the cause and run "
            "`gpt4rec night`.",
        )


def _stuck(connection: Connection, run: Run, idle_s: float) -> Iterator[Problem]:
    if run.is_finished:
        return
    if run.code_version != code_version():
        yield Problem(
            f"It was planned by code {run.code_version}; this is {code_version()}.",
            "Let workers of that code finish it, or `gpt4rec night --supersede`.",
        )
    yield from _expired_leases(connection, run)
    yield from _failing_shards(connection, run)
    inactive = rows.inactivity(connection, run.run_no)
    if inactive.is_idle and inactive.seconds > idle_s:
        left = f"{inactive.ready:,} shards wait" if inactive.ready else "its next step waits"
        yield Problem(
            f"No worker has worked on it for {inactive.seconds:,.0f} s; {left} ({run.state}).",
            f"Start a worker: `celery -A workers worker -Q {queue_of(run)}`, or resume in one "
            "process: `gpt4rec night`.",
        )


def _expired_leases(connection: Connection, run: Run) -> Iterator[Problem]:
    for lease in rows.expired_leases(connection, run.run_no, _NAMED):
        yield Problem(
            f"{lease.owner} has not renewed its lease of shard {lease.shard_no} ({lease.stage}) "
            f"for {lease.seconds:,.0f} s: it was killed or hangs.",
            "Any worker of its queue takes the shard over; start one if there is none.",
        )


def _failing_shards(connection: Connection, run: Run) -> Iterator[Problem]:
    for shard in rows.failing_shards(connection, run.run_no, _NAMED):
        often = "once" if shard.failures == 1 else f"{shard.failures} times"
        times = f"failed {often}" if shard.failures else "waits for a server"
        yield Problem(
            f"Shard {shard.shard_no} ({shard.stage}, {shard.members:,} members) {times}: "
            f"{(shard.error or 'its workers were killed').rstrip(': .')}.",
            "Nothing to do: it is tried again and split; a shard of one member is given up."
            if shard.failures
            else "Restore the server; the run then continues.",
        )
