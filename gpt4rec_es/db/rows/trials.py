"""Reads and writes of trials; each is stored in one transaction."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, text

from gpt4rec_es.db.tables import trial_comparisons, trial_points, trial_queries, trials
from gpt4rec_es.errors import UsageError
from gpt4rec_es.records import Bm25


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One row of ``trials``, joined with the names of generator, decoding and build."""

    trial_no: int
    split: str
    part: str
    generator: str
    build_no: int
    metric: str
    k: int
    exclude_bought: bool
    grid: str
    seed: int
    n_users: int
    n_queries: int
    live: Bm25
    best: Bm25
    recommended: Bm25
    verdict: str
    verified_build_no: int
    n_verified: int
    actor: str
    code_version: str
    tuned_at: dt.datetime
    minimum_should_match: str | None

    @property
    def is_change(self) -> bool:
        """Whether the recommended k1, b differ from the live ones."""
        return self.recommended != self.live


def store(
    connection: Connection,
    values: Mapping[str, Any],
    points: Iterable[Mapping[str, Any]],
    comparisons: Iterable[Mapping[str, Any]],
    queries: Iterable[Mapping[str, Any]],
) -> int:
    """Store a trial, as values by column; return its number."""
    number = int(
        connection.execute(insert(trials).values(values).returning(trials.c.trial_no)).scalar_one()
    )
    for table, rows in (
        (trial_points, points),
        (trial_comparisons, comparisons),
        (trial_queries, queries),
    ):
        if several := [{"trial_no": number, **row} for row in rows]:
            connection.execute(insert(table), several)
    return number


_SELECT = """
SELECT t.trial_no, t.split_name AS split, t.part, g.name AS generator, t.build_no, t.metric, t.k,
       t.exclude_bought, t.grid, t.seed, t.n_users, t.n_queries, t.live_k1, t.live_b, t.best_k1,
       t.best_b, t.recommended_k1, t.recommended_b, t.verdict, t.verified_build_no, t.n_verified,
       t.actor, t.code_version, t.tuned_at,
       t.minimum_should_match
FROM trials AS t JOIN generators AS g USING (generator_no)
"""


def load_all(connection: Connection) -> list[TrialRow]:
    """Return all trials, newest first."""
    return [_trial(row) for row in connection.execute(text(_SELECT + "ORDER BY trial_no DESC"))]


def load(connection: Connection, trial_no: int) -> TrialRow:
    """Return the trial with this number.

    Raises:
        UsageError: there is none.
    """
    found = connection.execute(
        text(_SELECT + "WHERE trial_no = :trial_no"), {"trial_no": trial_no}
    ).one_or_none()
    if found is None:
        raise UsageError(f"There is no trial {trial_no}.", "See `gpt4rec tune list`.")
    return _trial(found)


def load_points(connection: Connection, trial_no: int) -> list[dict[str, Any]]:
    """Return a trial's points in the order of measuring."""
    return _rows(connection, _POINTS, trial_no)


def load_comparisons(connection: Connection, trial_no: int) -> list[dict[str, Any]]:
    """Return a trial's comparisons, those of all users first."""
    return _rows(connection, _COMPARISONS, trial_no)


def load_queries(connection: Connection, trial_no: int) -> list[dict[str, Any]]:
    """Return the queries that gained most, then those that lost most, with ids and titles."""
    return _rows(connection, _QUERIES, trial_no)


_POINTS = """
SELECT k1, b, recall, ndcg
FROM trial_points WHERE trial_no = :trial_no ORDER BY point_no
"""
_COMPARISONS = """
SELECT candidate, reference, segment, n_users, gain, gain_low, gain_high, p_value
FROM trial_comparisons WHERE trial_no = :trial_no
ORDER BY candidate <> 'best', candidate, reference, segment <> 'all', segment
"""
_QUERIES = """
SELECT direction, place, user_id, query, item_id, title, rank_before, rank_after
FROM trial_queries JOIN users USING (user_no) JOIN items USING (item_no)
WHERE trial_no = :trial_no ORDER BY direction, place
"""


def _rows(connection: Connection, statement: str, trial_no: int) -> list[dict[str, Any]]:
    found = connection.execute(text(statement), {"trial_no": trial_no})
    return [dict(row) for row in found.mappings()]


def _trial(row: Any) -> TrialRow:
    values = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it
    for name in ("live", "best", "recommended"):
        values[name] = Bm25(values.pop(f"{name}_k1"), values.pop(f"{name}_b"))
    return TrialRow(**values)
