"""How trials are printed for people."""

from typing import TYPE_CHECKING, Any

from gpt4rec_es.cli.output import natural, plural, print_line, print_table

if TYPE_CHECKING:
    from gpt4rec_es.db.rows.trials import TrialRow
    from gpt4rec_es.lab.tuning.trials import TrialReport
    from gpt4rec_es.lab.tuning.tune import TuningPlan


def print_plan(plan: "TuningPlan") -> None:
    """Print what a tuning would do."""
    print_line(
        f"Would measure {plan.points} points (and, of a fine grid, those around the best) on "
        f"{plural(plan.users, 'user')} of {plan.split} ({plan.part}), with queries by "
        f"{plan.generator}; "
        f"live are k1 {plan.live.k1:g}, b {plan.live.b:g}."
    )


def print_list(found: "list[TrialRow]", *, wide: bool) -> None:
    """Print trials, one per line."""
    columns = ["trial", "split", "part", "generator", "metric", "users", "live", "best"]
    print_table(
        [*columns, "change", "by", "time", "verdict"],
        [
            (
                t.trial_no,
                t.split,
                t.part,
                t.generator,
                f"{t.metric}@{t.k}",
                t.n_users,
                f"{t.live.k1:g}, {t.live.b:g}",
                f"{t.best.k1:g}, {t.best.b:g}",
                t.is_change,
                t.actor,
                t.tuned_at,
                t.verdict,
            )
            for t in found
        ],
        keep=None if wide else {"trial", "split", "metric", "users", "live", "best", "change"},
    )


def print_trial(report: "TrialReport") -> None:
    """Print what a trial found."""
    t = report.trial
    print_line(
        f"Trial {t.trial_no}: {len(report.points)} points on {plural(t.n_users, 'user')} of "
        f"{t.split} "
        f"({t.part}), {t.n_queries:,} queries by {t.generator}"
        + (f", minimum_should_match {asked}" if (asked := t.minimum_should_match) else "")
    )
    print_line(t.verdict)
    print_line(
        f"For {t.n_verified:,} queries the server found just the {t.k} items that the best point "
        "was measured by."
    )
    means = sorted(report.points, key=lambda row: -row[t.metric])
    print_table(["k1", "b", "recall", "ndcg"], [_values(row) for row in means[:5]], "Best points")
    _print_comparisons(report)
    # Ranks first: titles as queries are long.
    columns = ["rank_before", "rank_after", "query", "user_id", "item_id", "title"]
    for direction in ("gained", "lost"):
        print_table(
            ["rank before", "after", *columns[2:]],
            [
                tuple(row[name] for name in columns)
                for row in report.queries
                if row["direction"] == direction
            ],
            f"Queries that {direction} most",
        )
    if t.is_change:
        print_line(f"Make it live: gpt4rec tune promote {t.trial_no}")
    print_line(f"The surface, as a page: gpt4rec report tuning {t.trial_no}")


def _values(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("k1", "b", "recall", "ndcg"))


def _print_comparisons(report: "TrialReport") -> None:
    columns = ["candidate", "reference", "segment", "n_users", "gain", "gain_low", "gain_high"]
    # History 10-19 after 5-9, else as they come: the best point first, of all users first.
    ordered = sorted(
        report.comparisons,
        key=lambda row: (
            row["candidate"] != "best",
            row["candidate"],
            row["reference"],
            row["segment"] != "all",
            natural(row["segment"]),
        ),
    )
    print_table(
        ["candidate", "against", "segment", "users", "gain", "from", "to", "p"],
        [tuple(row[name] for name in [*columns, "p_value"]) for row in ordered],
        f"Gain in {report.trial.metric}@{report.trial.k}, 95 % interval",
    )
