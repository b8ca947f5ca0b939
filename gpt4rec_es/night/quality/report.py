"""What is known of the quality of nights, for people and programs; nothing is measured here."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection

from gpt4rec_es.db.rows import quality_shown as rows
from gpt4rec_es.db.rows.prune import LISTS_DAYS
from gpt4rec_es.db.rows.quality_arms import ShownArm, arms_of
from gpt4rec_es.db.rows.quality_shown import Shown, ShownPart
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.metrics.arms import compare
from gpt4rec_es.metrics.decline import DATES, Decline, Night, decline
from gpt4rec_es.options.holdback import RECIPE

CAUTION = (
    "Observational: a list may cause the purchases that it predicts, and popular items are bought "
    "without any list. Compare methods and nights; do not read the figures as an effect."
)


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Measurements of runs. reason: why there is none, or none with users; None: there is one.

    parts, arms: of the single run asked for, else empty; arms only of a run with a holdback.
    """

    shown: Sequence[Shown]
    parts: Sequence[ShownPart] = ()
    arms: Sequence[ShownArm] = ()
    decline: Decline | None = None
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return {
            "measurements": [
                {**one.measured._asdict(), "methods": [_figure(each) for each in one.figures]}
                for one in self.shown
            ],
            "parts": [part._asdict() for part in self.parts],
            "arms": _compared(self.arms),
            "decline": self.decline
            and {**asdict(self.decline), "is_declined": self.decline.is_declined},
            "reason": self.reason,
            "caution": CAUTION,
        }


def _compared(arms: Sequence[ShownArm]) -> list[dict[str, Any]]:
    recipe = {one.age_days: one for one in arms if one.arm == RECIPE}
    compared = []
    for one in arms:
        own, found = recipe.get(one.age_days), None
        if own is not None and one.arm != RECIPE:
            found = compare(own.n_buyers, own.n_users, one.n_buyers, one.n_users)
        against = found and {**asdict(found), "is_clear": found.is_clear}
        compared.append({**one._asdict(), "recipe_against_it": against})
    return compared


def _figure(figure: Any) -> dict[str, Any]:
    return {**asdict(figure), "hit_rate": figure.hit_rate}


def report_nights(connection: Connection, limit: int, kind: str = "nightly") -> QualityReport:
    """Return the measurements of the newest ``limit`` published runs that have any."""
    shown = rows.newest(connection, kind, limit)
    reason = None
    if not shown:
        reason = "No published run is measured: none is a day old with its lists stored."
    elif not any(one.measured.n_users for one in shown):
        reason = "No purchases made after these nights were imported that were new to their users."
    days = rows.first_days(connection, kind, DATES)
    found = decline([Night(*day) for day in days])
    return QualityReport(shown, decline=found, reason=reason)


def report_run(connection: Connection, run: Run) -> QualityReport:
    """Return the measurements of one run, or the reason that there is none."""
    shown = rows.of_run(connection, run.run_no)
    reason = None
    if not any(one.measured.n_users for one in shown):
        reason = _reason(connection, run, is_measured=bool(shown))
    elif run.state != "published":
        reason = f"Run {run.run_id} was withdrawn: its measurements are no longer continued."
    parts, arms = rows.parts_of(connection, run.run_no), arms_of(connection, run.run_no)
    return QualityReport(shown, parts, arms, reason=reason)


def _reason(connection: Connection, run: Run, *, is_measured: bool) -> str:
    if run.state != "published":
        return f"Run {run.run_id} is {run.state}: only published runs are compared with purchases."
    if is_measured:
        return (
            f"No purchases were imported that users of {run.run_id} made after it and that were "
            "new to them."
        )
    if run.pruned_at and not rows.has_kept(connection, run.run_no):
        return (
            f"Run {run.run_id} was pruned, and what its lists are compared with was not kept or is "
            f"deleted ({LISTS_DAYS} days after other lists replaced them)."
        )
    if not run.pruned_at and rows.is_due_later(connection, run.run_no):
        return f"Run {run.run_id} is less than a day old: its first age is not over."
    return f"Run {run.run_id} was never measured, and is older than {LISTS_DAYS} days."
