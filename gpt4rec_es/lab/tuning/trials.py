"""Stored trials: list, show and promote one."""

from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import builds, trials
from gpt4rec_es.db.rows import trials as rows
from gpt4rec_es.db.rows.trials import TrialRow
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.index.bm25 import Bm25Change, set_bm25
from gpt4rec_es.index.live import live_build


@dataclass(frozen=True, slots=True)
class TrialReport:
    """A trial with its rows, each as plain values by column."""

    trial: TrialRow
    points: list[dict[str, Any]]
    comparisons: list[dict[str, Any]]
    queries: list[dict[str, Any]]


def list_trials(engine: Engine) -> list[TrialRow]:
    """Return all trials, newest first."""
    with transaction(engine) as connection:
        return rows.load_all(connection)


def show_trial(engine: Engine, trial_no: int) -> TrialReport:
    """Return a trial with all its rows.

    Raises:
        UsageError: there is no such trial.
    """
    with transaction(engine) as connection:
        return TrialReport(
            rows.load(connection, trial_no),
            rows.load_points(connection, trial_no),
            rows.load_comparisons(connection, trial_no),
            rows.load_queries(connection, trial_no),
        )


def promote(
    engine: Engine,
    client: Elasticsearch,
    alias: str,
    trial_no: int,
    *,
    actor: str,
    reason: str | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> tuple[TrialRow, Bm25Change]:
    """Make the k1, b that a trial recommends live; return the trial and the change.

    force: use the best point even if the trial recommends the live values or the catalog changed.

    Raises:
        UsageError: there is no such trial, it recommends the live values, or its values are live.
        ConflictError: the catalog or k1, b have changed since it was measured; or another process
            builds or tunes behind this alias.
        DataError: the clone does not use the values; it was removed.
        DependencyError: a server cannot be reached.
    """
    with transaction(engine) as connection:
        trial = trials.load(connection, trial_no)
        measured = builds.load(connection, trial.build_no)
    now = live_build(engine, client, alias)
    if not force:
        _require_change(trial)
        _require_same(trial, measured, now)
    wanted = trial.recommended if trial.is_change else trial.best
    why = f"trial {trial_no}" + (", forced" if force else "") + (f": {reason}" if reason else "")
    change = set_bm25(engine, client, alias, wanted, actor=actor, reason=why, dry_run=dry_run)
    return trial, change


def _require_change(trial: TrialRow) -> None:
    if not trial.is_change:
        raise UsageError(
            f"Trial {trial.trial_no} changes nothing: {trial.verdict}",
            "Make its best point live all the same: --force.",
        )


def _require_same(trial: TrialRow, measured: builds.Build, now: builds.Build) -> None:
    """Check that items, analyzer, k1 and b of the live build are those that the trial measured.

    Raises:
        ConflictError: they differ.
    """
    if measured.alias != now.alias:
        raise ConflictError(
            f"Trial {trial.trial_no} was measured behind the alias {measured.alias!r}, this is "
            f"{now.alias!r}.",
            "Tune again, or --force.",
        )
    if not builds.is_same_content(measured, now):
        raise ConflictError(
            f"The catalog or analyzer changed since trial {trial.trial_no} was measured "
            f"(build {measured.build_no}, now {now.build_no}).",
            "Tune again (queries are kept: it takes about a minute), or --force.",
        )
    if now.bm25 not in {trial.live, trial.recommended}:
        raise ConflictError(
            f"k1, b are {now.bm25.k1:g}, {now.bm25.b:g} now; trial {trial.trial_no} was compared "
            f"with {trial.live.k1:g}, {trial.live.b:g}.",
            "Tune again, or --force.",
        )
