"""Measured values of runs, one row per run and measure, and their medians over earlier nights.

night/publish/measures.py names the measures; measured_lists.py counts them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.runs import Run

# Stored at planning; the other measures are stored when the run is checked.
CLOCK_AHEAD = "clock_ahead_s"


class Measured(NamedTuple):
    """A measured value; None: there was nothing to measure it on.

    n: number of users, places, queries or items that it is measured on. usual: median of the nights
    published last by the same recipe, generator and rules; None: too few have it. before: value of
    the published run; None: it has none.
    """

    value: float | None
    n: int
    usual: float | None = None
    before: float | None = None


def store(connection: Connection, run_no: int, found: Mapping[str, Measured]) -> None:
    """Store measures of a run; earlier ones of the same name are replaced."""
    rows = [
        {"run_no": run_no, "measure": name, "value": one.value, "n": one.n, "usual": one.usual}
        for name, one in found.items()
    ]
    if rows:
        connection.execute(
            text("""
            INSERT INTO run_measures (run_no, measure, value, n, usual)
            VALUES (:run_no, :measure, :value, :n, :usual)
            ON CONFLICT (run_no, measure) DO UPDATE SET value = excluded.value, n = excluded.n,
                usual = excluded.usual, measured_at = clock_timestamp()
            """),
            rows,
        )


def load(connection: Connection, run_no: int) -> dict[str, Measured]:
    """Return the stored measures of a run by name."""
    found = connection.execute(
        text("SELECT measure, value, n, usual FROM run_measures WHERE run_no = :run_no"),
        {"run_no": run_no},
    )
    return {row.measure: Measured(row.value, row.n, row.usual) for row in found}


def load_newest(connection: Connection) -> dict[str, Measured]:
    """Return the measures of the newest run that was checked; empty: none was."""
    newest = connection.execute(text("SELECT max(run_no) FROM gate_results")).scalar_one()
    return {} if newest is None else load(connection, newest)


def published_before(connection: Connection, run: Run, most: int) -> list[tuple[int, Any]]:
    """Return number and manifest of the last ``most`` nights published before ``run``."""
    found = connection.execute(
        text("""
        SELECT run_no, manifest FROM runs
        WHERE kind = :kind AND state = 'published' AND run_no <> :run_no
          AND (logical_date, attempt) < (:date, :attempt)
        ORDER BY logical_date DESC, attempt DESC LIMIT :most
        """),
        {
            "kind": run.kind,
            "run_no": run.run_no,
            "date": run.logical_date,
            "attempt": run.attempt,
            "most": most,
        },
    )
    return [(row.run_no, row.manifest) for row in found]


def load_usual(connection: Connection, run_nos: Sequence[int], at_least: int) -> dict[str, float]:
    """Return measure -> median over these runs, of measures that ``at_least`` of them have."""
    found = connection.execute(
        text("""
        SELECT measure, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS usual
        FROM run_measures WHERE value IS NOT NULL AND run_no = ANY(:run_nos)
        GROUP BY measure HAVING count(*) >= :at_least
        """),
        {"run_nos": list(run_nos), "at_least": at_least},
    )
    return {row.measure: row.usual for row in found}
