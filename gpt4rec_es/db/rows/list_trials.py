"""Reads and writes of trials of recipes; each is stored in one transaction."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, text

from gpt4rec_es.db.tables import (
    generators,
    list_trial_changes,
    list_trial_comparisons,
    list_trial_settings,
    list_trials,
)


@dataclass(frozen=True, slots=True)
class ListTrialRow:
    """One row of ``list_trials``, with the name of the generator (None: it had none)."""

    trial_no: int
    split: str
    part: str
    generator: str | None
    build_no: int
    metric: str
    k: int
    seed: int
    n_fit_users: int
    n_test_users: int
    live_name: str
    live_hash: str
    document: dict[str, Any]
    content_hash: str
    field_bm25: dict[str, list[float]] | None
    is_change: bool
    verdict: str
    seconds: float
    actor: str
    tuned_at: dt.datetime


def store(
    connection: Connection,
    values: Mapping[str, Any],
    settings: Iterable[Mapping[str, Any]],
    comparisons: Iterable[Mapping[str, Any]],
    changes: Iterable[Mapping[str, Any]] = (),
) -> int:
    """Store a trial, as values by column; return its number, from those of all trials."""
    number = int(connection.execute(text("SELECT nextval('trials_trial_no_seq')")).scalar_one())
    connection.execute(insert(list_trials).values(trial_no=number, **values))
    for table, rows in (
        (list_trial_settings, settings),
        (list_trial_comparisons, comparisons),
        (list_trial_changes, changes),
    ):
        if several := [{"trial_no": number, **row} for row in rows]:
            connection.execute(insert(table), several)
    return number


_COLUMNS = [
    list_trials.c.split_name.label("split")
    if name == "split"
    else generators.c.name.label("generator")
    if name == "generator"
    else list_trials.c[name]
    for name in ListTrialRow.__slots__
]
_SELECT = select(*_COLUMNS).select_from(
    list_trials.outerjoin(generators, generators.c.generator_no == list_trials.c.generator_no)
)


def load_all(connection: Connection) -> list[ListTrialRow]:
    """Return all trials of recipes, newest first."""
    found = connection.execute(_SELECT.order_by(list_trials.c.trial_no.desc()))
    return [ListTrialRow(**row) for row in found.mappings()]


def find(connection: Connection, trial_no: int) -> ListTrialRow | None:
    """Return the trial of recipes with this number; None: there is none."""
    found = connection.execute(_SELECT.where(list_trials.c.trial_no == trial_no))
    row = found.mappings().one_or_none()
    return None if row is None else ListTrialRow(**row)


def load_settings(connection: Connection, trial_no: int) -> list[dict[str, Any]]:
    """Return the settings of a trial, in the order in which they were measured."""
    table = list_trial_settings
    found = connection.execute(
        select(table).where(table.c.trial_no == trial_no).order_by(table.c.setting_no)
    )
    return [dict(row) for row in found.mappings()]


def load_comparisons(connection: Connection, trial_no: int) -> list[dict[str, Any]]:
    """Return the comparisons of a trial, of all users first, by segment, length and metric."""
    table = list_trial_comparisons
    found = connection.execute(
        select(table)
        .where(table.c.trial_no == trial_no)
        .order_by(table.c.segment != "all", table.c.segment, table.c.k, table.c.metric)
    )
    return [dict(row) for row in found.mappings()]
