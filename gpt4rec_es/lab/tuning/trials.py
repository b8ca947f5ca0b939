"""Looking at trials: lists, everything about one, and its heat map."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import trials as rows
from gpt4rec_es.db.rows.trials import TrialRow
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.tuning.heatmap import Heatmap, render_heatmap
from gpt4rec_es.lab.tuning.points import DEFAULTS
from gpt4rec_es.records import Bm25


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
    """Return all about a trial.

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


def heatmap(report: TrialReport) -> str:
    """Return an SVG of the trial's metric over k1 and b."""
    trial = report.trial
    values = {Bm25(row["k1"], row["b"]): row[trial.metric] for row in report.points}
    marks = {"best": trial.best, "live": trial.live, "defaults": DEFAULTS}
    name = f"{trial.metric}@{trial.k}"
    return render_heatmap(
        Heatmap(
            f"Trial {trial.trial_no}: mean {name} of {trial.n_users:,} users "
            f"({trial.split}, {trial.part})",
            f"{trial.verdict}{_gain(report)}",
            name,
            values,
            marks,
        )
    )


def _gain(report: TrialReport) -> str:
    """Return how sure the best point's gain is, which the colours cannot say."""
    live = "defaults" if report.trial.live == DEFAULTS else "live"
    for row in report.comparisons:
        if (row["candidate"], row["reference"], row["segment"]) == ("best", live, "all"):
            ends = f"{row['gain_low']:+.4f} to {row['gain_high']:+.4f}"
            return f" Best against {live}: {row['gain']:+.4f} ({ends})."
    return ""


def require_svg(path: Path | None) -> None:
    """Pass if an SVG may have this name (None: no picture is asked for); ask before long work.

    Raises:
        UsageError: the name is that of another format.
    """
    if path is not None and path.suffix.lower() != ".svg":
        raise UsageError(
            f"The heat map is an SVG, and {path.name!r} does not say so.",
            f"Name it {path.stem}.svg; browsers show it, and save it as other formats.",
        )


def write_heatmap(report: TrialReport, path: Path) -> None:
    """Write the trial's heat map to ``path``.

    Raises:
        UsageError: it cannot be written, or its name is that of another format.
    """
    require_svg(path)
    try:
        path.write_text(heatmap(report), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", "Check the path."
        ) from error
