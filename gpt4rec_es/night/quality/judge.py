"""Compare the lists of published nights with what users bought since.

The figures are observational: a list may cause the purchases that it predicts. Each run and age is
one transaction, which replaces the rows of its day; what a killed process left out is due again.
"""

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from sqlalchemy import Connection, Engine

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import disable_statement_timeout, retrying, session
from gpt4rec_es.db.rows import later_purchases
from gpt4rec_es.db.rows import quality as rows
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.quality_arms import count_arms
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import Gpt4RecError
from gpt4rec_es.logs import scrub
from gpt4rec_es.metrics.observed import figures
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.quality.titles import search_titles
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.tallies import Tally

log = logging.getLogger(__name__)

_KIND = "nightly"
_LOCK = "quality"
_WAIT_S = 60


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of purchases: times of the newest, and what each history version added.

    version: the newest history version of the transaction that read them.
    """

    version: int
    newest_at: dt.datetime | None
    arrivals: Sequence[later_purchases.Arrival]

    def has_changed(self, run: Run, due: rows.Due) -> bool:
        """Return whether purchases that may count were imported since the last measurement."""
        until = _end(run, due)
        return any(
            one.version > due.before and (one.earliest_at is None or one.earliest_at <= until)
            for one in self.arrivals
        )

    def is_complete(self, run: Run, due: rows.Due) -> bool:
        """Return whether there are purchases from after those that count."""
        return self.newest_at is not None and self.newest_at > _end(run, due)


def due_runs(connection: Connection) -> list[str]:
    """Return the runs that ``measure`` would measure."""
    numbers = dict.fromkeys(due.run_no for due in rows.find_due(connection, _KIND))
    return [run_rows.load(connection, number).run_id for number in numbers]


def measure(parts: NightParts, *, progress: Progress = no_progress) -> list[str]:
    """Measure the published runs that are due; return their ids.

    Due: an age of its lists is over, and purchases were imported that it was not compared with.
    Repeating it changes nothing. Searches of newest titles that the night did not make are made.

    Raises:
        ConflictError: another process is measuring.
        DependencyError: a server was lost; what was measured before stays.
    """
    with locks.hold_lock(parts.engine, _LOCK), session(parts.engine) as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            due = rows.find_due(connection, _KIND)
            if not due:
                return []
            known = _read_purchases(connection, due)
        done: list[str] = []
        for run_no, ages in groupby(due, key=lambda one: one.run_no):
            # Neither a prune nor an erasure deletes the texts meanwhile.
            with locks.hold_lock(parts.engine, locks.TEXTS, shared=True, wait_s=_WAIT_S):
                run = retrying(parts.engine, partial(run_rows.load, run_no=run_no))
                search_titles(parts, run, buyers_in=connection)
            for one in ages:
                with connection.begin():
                    _measure_one(connection, run, one, known)
            done.append(run.run_id)
            progress(len(done), len({one.run_no for one in due}))
    return done


def measure_after(
    engine: Engine,
    make_parts: Callable[[], NightParts],
    what: str,
    *,
    progress: Progress = no_progress,
) -> list[str]:
    """Measure after ``what``, which is done: a failure is logged and does not fail it.

    make_parts: called only if a run is due, because an import needs no search cluster.
    """
    try:
        with session(engine) as connection:
            is_due = bool(rows.find_due(connection, _KIND))
        return measure(make_parts(), progress=progress) if is_due else []
    except Gpt4RecError as error:
        log.warning(
            "after %s, nights were not compared with purchases: %s `gpt4rec quality` does it later",
            what,
            scrub(str(error)),
        )
        return []


def _read_purchases(connection: Connection, due: Sequence[rows.Due]) -> Known:
    newest_at = later_purchases.collect_purchases(connection, [one.run_no for one in due])
    arrivals = later_purchases.arrivals(connection, min(one.before for one in due))
    return Known(rows.read_version(connection), newest_at, arrivals)


def _measure_one(connection: Connection, run: Run, due: rows.Due, known: Known) -> None:
    rows.lock_lists(connection)
    disable_statement_timeout(connection)
    if not rows.can_measure(connection, run):  # pruned or withdrawn meanwhile
        return
    is_complete = known.is_complete(run, due)
    if not due.is_new and is_complete == due.was_complete and not known.has_changed(run, due):
        rows.raise_version(connection, due, known.version)
        return
    tallies = rows.tally(connection, run, due.age_days)
    rows.store(
        connection,
        due,
        history_version=known.version,
        is_complete=is_complete,
        tallies=tallies,
        figures=figures(tallies, seed=run.run_no),
        parts=[*rows.count_parts(connection, run, due.age_days), *_by_outcome(tallies)],
        arms=count_arms(connection, run, due.age_days),
    )


def _by_outcome(tallies: Sequence[Tally]) -> list[rows.Part]:
    return [
        rows.Part(
            "outcome",
            outcome,
            sum(one.n_users for one in several),
            sum(one.n_users for one in several if one.published),
        )
        for outcome, several in (
            (outcome, list(found)) for outcome, found in groupby(tallies, lambda one: one.outcome)
        )
    ]


def _end(run: Run, due: rows.Due) -> dt.datetime:
    return run.planned_at + dt.timedelta(days=due.age_days)
