"""Tune k1, b and the recipe one after the other: what would be tried, and one summary of both."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import generators
from gpt4rec_es.lab.tuning.inputs import TuningOptions, TuningParts
from gpt4rec_es.lab.tuning.lists.halves import ListTuningPlan, plan_list_tuning
from gpt4rec_es.lab.tuning.lists.list_options import ListTuningOptions
from gpt4rec_es.lab.tuning.lists.promote import ListTrialReport, show_list_trial
from gpt4rec_es.lab.tuning.lists.tune_lists import tune_lists
from gpt4rec_es.lab.tuning.trials import TrialReport, show_trial
from gpt4rec_es.lab.tuning.tune import TuningPlan, plan_tuning, tune_bm25
from gpt4rec_es.protocols import Bars, no_bars
from gpt4rec_es.records import Bm25

# Seconds by what takes them: a user of bm25's grid, a purchase of a user and one whose pairs are
# counted, by setting, and a compared user. Measured on one core (docs/tuning.md) and doubled,
# because machines are slower or busy.
_PER_GRID_USER, _PER_PURCHASE, _PER_COUNTED, _PER_COMPARED = 0.007, 5e-5, 2e-6, 0.01


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one trial says: what was live, what was best, and the gain with a 95 % interval.

    subject: "k1, b" or "recipe". A recipe's best is named as ``tune promote`` names it.
    """

    subject: str
    trial_no: int
    metric: str
    live: str
    best: str
    live_value: float
    gain: float
    gain_low: float
    gain_high: float
    p_value: float
    is_change: bool
    verdict: str


@dataclass(frozen=True, slots=True)
class AllPlan:
    """Plan of both; seconds: about how long, without generation.

    bm25: None: left out, for the reason ``skipped``.
    """

    bm25: TuningPlan | None
    skipped: str | None
    lists: ListTuningPlan
    seconds: float


@dataclass(frozen=True, slots=True)
class AllReport:
    """Both trials, and a summary of them."""

    summary: list[Outcome]
    skipped: str | None
    bm25: TrialReport | None
    lists: ListTrialReport


def plan_all(parts: TuningParts, bm25: TuningOptions, lists: ListTuningOptions) -> AllPlan:
    """Return what ``tune_all`` would do now; changes nothing, and raises as it does."""
    skipped = _skipped(parts.engine, bm25)
    grid = None if skipped else plan_tuning(parts, bm25)
    plan = plan_list_tuning(parts, lists)
    seconds = (
        30
        + _PER_GRID_USER * (grid.users if grid else 0)
        + plan.trials * (_PER_PURCHASE * plan.purchases + _PER_COUNTED * plan.counted)
        + _PER_COMPARED * plan.test_users
    )
    return AllPlan(grid, skipped, plan, seconds)


def tune_all(
    parts: TuningParts, bm25: TuningOptions, lists: ListTuningOptions, *, bars: Bars = no_bars
) -> AllReport:
    """Return the stored trials of k1, b and of the recipe; raises as both tunings do.

    Without a generator k1, b are left out: they matter for its queries.
    """
    skipped = _skipped(parts.engine, bm25)
    grid = None
    plan_list_tuning(parts, lists)  # refuses before the grid takes minutes
    if skipped is None:
        grid = show_trial(parts.engine, tune_bm25(parts, bm25, bars=bars).trial_no)
    trial = tune_lists(parts, lists, bars=bars)
    report = show_list_trial(parts.engine, trial.trial_no)
    assert report is not None  # noqa: S101 -- stored by the line before
    summary = [*([_of_grid(grid)] if grid else []), _of_lists(report)]
    return AllReport(summary, skipped, grid, report)


def _skipped(engine: Engine, options: TuningOptions) -> str | None:
    if not options.recipe.recipe.writes_queries:
        return f"The recipe {options.recipe.name!r} has no generated queries."
    with transaction(engine) as connection:
        if options.generator is None and generators.current(connection) is None:
            return "No query generator is in use."
    return None


def _of_grid(report: TrialReport) -> Outcome:
    trial = report.trial
    values = {(row["k1"], row["b"]): float(row[trial.metric]) for row in report.points}
    references = {
        row["reference"]: row
        for row in report.comparisons
        if (row["candidate"], row["segment"]) == ("best", "all")
    }
    against = references.get("live") or references["defaults"]
    return Outcome(
        "k1, b",
        trial.trial_no,
        f"{trial.metric}@{trial.k}",
        _text(trial.live),
        _text(trial.best),
        values[trial.live.k1, trial.live.b],
        **_gain(against),
        is_change=trial.is_change,
        verdict=trial.verdict,
    )


def _of_lists(report: ListTrialReport) -> Outcome:
    trial = report.trial
    (decides,) = (
        row
        for row in report.comparisons
        if (row["segment"], row["k"], row["metric"]) == ("all", trial.k, trial.metric)
    )
    return Outcome(
        "recipe",
        trial.trial_no,
        f"{trial.metric}@{trial.k}",
        trial.live_name,
        f"trial-{trial.trial_no}",
        decides["live_value"],
        **_gain(decides),
        is_change=trial.is_change,
        verdict=trial.verdict,
    )


def _gain(row: dict[str, Any]) -> dict[str, float]:
    return {name: row[name] for name in ("gain", "gain_low", "gain_high", "p_value")}


def _text(point: Bm25) -> str:
    return ", ".join(f"{value:g}" for value in asdict(point).values())
