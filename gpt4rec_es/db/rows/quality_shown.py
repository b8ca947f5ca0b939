"""Reads of stored measurements: the last one of each run and age."""

import datetime as dt
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.tallies import Figure


class Measured(NamedTuple):
    """The last measurement of a published run at one age, without its figures."""

    run_no: int
    run_id: str
    logical_date: dt.date
    age_days: int
    measured_on: dt.date
    is_complete: bool
    n_users: int
    n_bought: int
    measured_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """A measurement with one figure per method."""

    measured: Measured
    figures: tuple[Figure, ...]


class FirstDay(NamedTuple):
    """One date's users that bought something new within a day, and those that lists had it for."""

    date: dt.date
    n_users: int
    published: int
    popularity: int


class ShownPart(NamedTuple):
    """Sums by rank, source or outcome at one age."""

    age_days: int
    part: str
    value: str
    n_judged: int
    n_hits: int


_RUNS = """
    SELECT r.run_no FROM runs AS r
    WHERE r.kind = :kind AND r.state = 'published'
      AND EXISTS (SELECT FROM quality_days AS d WHERE d.run_no = r.run_no)
    ORDER BY r.logical_date DESC, r.attempt DESC LIMIT :most
"""
_LAST = """
SELECT r.run_no, r.run_id, r.logical_date, d.age_days, d.measured_on, d.is_complete, d.n_users,
       d.n_bought, d.measured_at, m.method, m.n_users AS judged, m.n_hit_users, m.n_hits,
       m.hit_rate_low, m.hit_rate_high, m.recall, m.recall_low, m.recall_high, m.gain, m.gain_low,
       m.gain_high
FROM (SELECT DISTINCT ON (run_no, age_days) * FROM quality_days WHERE run_no IN ({runs})
      ORDER BY run_no, age_days, measured_on DESC) AS d
JOIN runs AS r USING (run_no)
JOIN quality_methods AS m USING (run_no, age_days, measured_on)
ORDER BY r.logical_date DESC, r.attempt DESC, d.age_days,
         array_position(ARRAY['published', 'popularity', 'newest_title'], m.method)
"""


def newest(connection: Connection, kind: str, most: int) -> list[Shown]:
    """Return the measurements of the newest ``most`` published runs that have any, by age."""
    return _shown(connection, _RUNS, {"kind": kind, "most": most})


def of_run(connection: Connection, run_no: int) -> list[Shown]:
    """Return the measurements of one run by age, published or not."""
    return _shown(connection, "SELECT cast(:run_no AS integer)", {"run_no": run_no})


def _shown(connection: Connection, runs: str, values: dict[str, object]) -> list[Shown]:
    grouped: dict[Measured, list[Figure]] = {}
    for row in connection.execute(text(_LAST.format(runs=runs)), values):
        grouped.setdefault(Measured(*row[:9]), []).append(Figure(*row[9:]))
    return [Shown(measured, tuple(figures)) for measured, figures in grouped.items()]


def first_days(connection: Connection, kind: str, most: int) -> list[FirstDay]:
    """Return the complete measurements at the age of one day of the newest ``most`` dates.

    Of several published runs of a date, the last attempt.
    """
    found = connection.execute(
        text("""
        SELECT DISTINCT ON (r.logical_date) r.logical_date, d.n_users,
               own.n_hit_users, popular.n_hit_users
        FROM runs AS r JOIN quality_days AS d USING (run_no)
        JOIN quality_methods AS own USING (run_no, age_days, measured_on)
        JOIN quality_methods AS popular USING (run_no, age_days, measured_on)
        WHERE r.kind = :kind AND r.state = 'published' AND d.age_days = 1 AND d.is_complete
          AND own.method = 'published' AND popular.method = 'popularity'
        ORDER BY r.logical_date DESC, r.attempt DESC, d.measured_on DESC LIMIT :most
        """),
        {"kind": kind, "most": most},
    )
    return [FirstDay(*row) for row in found]


def parts_of(connection: Connection, run_no: int) -> list[ShownPart]:
    """Return the sums of a run by age, part and value, ranks in order."""
    found = connection.execute(
        text("""
        SELECT age_days, part, value, n_judged, n_hits FROM quality_parts WHERE run_no = :run_no
        ORDER BY array_position(ARRAY['rank', 'source', 'outcome'], part),
                 CASE part WHEN 'rank' THEN value::integer END, value, age_days
        """),
        {"run_no": run_no},
    )
    return [ShownPart(*row) for row in found]


def has_kept(connection: Connection, run_no: int) -> bool:
    """Return whether what a pruned run's lists are compared with was kept."""
    found = connection.execute(
        text("SELECT EXISTS (SELECT FROM quality_users WHERE run_no = :run_no)"),
        {"run_no": run_no},
    )
    return bool(found.scalar_one())


def is_due_later(connection: Connection, run_no: int) -> bool:
    """Return whether a run was planned less than a day ago."""
    found = connection.execute(
        text("""
        SELECT planned_at > clock_timestamp() - interval '1 day' FROM runs WHERE run_no = :run_no
        """),
        {"run_no": run_no},
    )
    return bool(found.scalar_one())
