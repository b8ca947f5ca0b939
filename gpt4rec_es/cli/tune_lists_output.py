"""How trials of recipes are printed for people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gpt4rec_es.cli.output import plural, print_line, print_table

if TYPE_CHECKING:
    from gpt4rec_es.db.rows.list_trials import ListTrialRow
    from gpt4rec_es.lab.tuning.lists.halves import ListTuningPlan
    from gpt4rec_es.lab.tuning.lists.promote import ListTrialReport


def print_list_plan(plan: "ListTuningPlan") -> None:
    """Print what a tuning of the recipe would do."""
    queries = f"queries by {plan.generator}" if plan.generator else "no queries"
    print_line(
        f"Would choose among {plan.trials} settings on {plural(plan.fit_users, 'user')} of "
        f"{plan.split} ({plan.part}), with {queries}, and compare the best with {plan.live} on "
        f"{plural(plan.test_users, 'other user')}."
    )


def print_list_trials(found: "list[ListTrialRow]", *, wide: bool) -> None:
    """Print trials of recipes, one per line."""
    columns = ["trial", "split", "part", "generator", "metric", "users", "live", "change"]
    print_table(
        [*columns, "by", "time", "verdict"],
        [
            (
                t.trial_no,
                t.split,
                t.part,
                t.generator,
                f"{t.metric}@{t.k}",
                t.n_test_users,
                t.live_name,
                t.is_change,
                t.actor,
                t.tuned_at,
                t.verdict,
            )
            for t in found
        ],
        "Recipes",
        keep=None if wide else {"trial", "split", "metric", "users", "live", "change"},
    )


def print_list_trial(report: "ListTrialReport") -> None:
    """Print what a trial of recipes found."""
    t = report.trial
    queries = f"queries by {t.generator}" if t.generator else "no queries"
    of_settings = f"{plural(len(report.settings), 'setting')} on " if report.settings else ""
    print_line(
        f"Trial {t.trial_no}: {of_settings}"
        f"{plural(t.n_fit_users, 'user')} of {t.split} ({t.part}), {queries}; compared on "
        f"{plural(t.n_test_users, 'other user')} in {t.seconds:.0f} s"
    )
    print_line(t.verdict)
    print_line(f"The recipe found: {_options(t)}.")
    if report.settings:  # a trial of weights of fields has none
        _print_settings(report)
    print_table(
        ["metric", "users", t.live_name, "best", "gain", "from", "to", "p"],
        [
            (
                f"{row['metric']}@{row['k']}",
                row["segment"],
                *(row[name] for name in ("live_value", "best_value", "gain")),
                *(row[name] for name in ("gain_low", "gain_high", "p_value")),
            )
            for row in report.comparisons
        ],
        "On users that were not used for choosing, 95 % interval",
    )
    if t.is_change:
        print_line(f"Make it live: gpt4rec tune promote {t.trial_no}")


def _print_settings(report: "ListTrialReport") -> None:
    t = report.trial
    best = sorted(report.settings, key=lambda row: -row["value"])[:5]
    print_table(
        ["changed from the first", "fitted", "with", f"{t.metric}@{t.k}"],
        [
            (
                _changes(report.settings[0], row),
                row["is_fitted"],
                ", ".join(said for name, said in _JOINED.items() if row[name]),
                row["value"],
            )
            for row in best
        ],
        "Best settings",
    )


# What joined a setting, by column.
_JOINED = {"has_vectors": "vectors", "has_reranker": "re-ranker", "has_sequence": "its items"}


def _changes(first: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Return the options of a setting that differ from those of the first, which is the recipe."""
    others = {"trial_no", "setting_no", "is_fitted", "value", *_JOINED}
    found = (
        f"{name} {it:g}" for name, it in row.items() if name not in others if it != first[name]
    )
    return ", ".join(found) or "nothing"


def _options(trial: "ListTrialRow") -> str:
    """Return the options that a tuning tries, as the recipe found has them."""
    fusion = trial.document["fusion"]
    names = ["candidates", "history", "history_decay", "neighbours"]
    if trial.generator:
        names += ["query_decay", "query_hits"]
    found = {name: fusion[name] for name in names}
    found |= {f"pairs.{name}": value for name, value in fusion["pairs"].items()}
    if trial.generator:
        found["num_queries"] = trial.document["decoding"]["num_queries"]
    for name, (k1, b) in (trial.field_bm25 or {}).items():
        found |= {f"{name} k1": k1, f"{name} b": b}
    found |= {f"fields.{name}": w for name, w in trial.document["search"].get("fields", {}).items()}
    return ", ".join(f"{name} {value:g}" for name, value in found.items())
