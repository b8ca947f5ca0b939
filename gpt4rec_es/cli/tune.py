"""``gpt4rec tune``: k1 and b by measurement, and making what was found better live."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.output import emit, print_line, print_table
from gpt4rec_es.cli.progress import progress_bar

if TYPE_CHECKING:
    from gpt4rec_es.db.trials import TrialRow
    from gpt4rec_es.services.bm25 import Bm25Change
    from gpt4rec_es.services.trials import TrialReport
    from gpt4rec_es.services.tuning import TuningPlan

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_HEATMAP = click.option(
    "--heatmap",
    "heatmap_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the surface over k1 and b as an SVG.",
)
_AT_LEAST_1 = click.IntRange(min=1)


@click.group()
def tune() -> None:
    """Measure k1 and b on generated queries; make the better ones live."""


@tune.command()
@click.argument("split")
@click.option(
    "--part",
    type=click.Choice(["validation", "test"]),
    default="validation",
    show_default=True,
    help="Part of the split; what is chosen on the test cannot be reported on it.",
)
@click.option("--generator", help="Generator to ask for queries. [default: the current one]")
@click.option("--trust", is_flag=True, help="The generator has not seen what is held out.")
@click.option("--num-queries", type=_AT_LEAST_1, help="Queries per user. [default: as nights]")
@click.option("--num-beams", type=_AT_LEAST_1, help="Hypotheses per user. [default: as nights]")
@click.option(
    "--metric",
    default="recall",
    show_default=True,
    metavar="NAME[@K]",
    help="recall or ndcg; K items per list. [default K: as nights]",
)
@click.option(
    "--grid",
    type=click.Choice(["coarse", "fine", "full"]),
    default="fine",
    show_default=True,
    help="20 points; those and about 80 around their best; or 30 x 11.",
)
@click.option(
    "--users",
    "most_users",
    type=_AT_LEAST_1,
    default=20_000,
    show_default=True,
    help="Measure on at most so many; always the same ones.",
)
@click.option("--analyzers", default="", help="Also try these, as standard,english,folding.")
@click.option(
    "--fields",
    multiple=True,
    metavar="NAME^WEIGHT,...",
    help="Also search these, as title^3,brand,category; may be given several times.",
)
@click.option("--hits-per-query", default="", help="Also take so many of each query, as 1,2,5.")
@click.option("--seed", default=0, show_default=True, help="Of intervals and tests.")
@_HEATMAP
@click.option("--dry-run", is_flag=True, help="Only say what would be measured.")
@_JSON
def bm25(
    split: str,
    num_queries: int | None,
    num_beams: int | None,
    metric: str,
    analyzers: str,
    hits_per_query: str,
    heatmap_file: Path | None,
    dry_run: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Find the k1 and b that suit the generated queries best, on SPLIT.

    Queries are generated once and kept. The live index stays as it is: see `tune promote`.
    """
    from gpt4rec_es.services.trials import show_trial
    from gpt4rec_es.services.tuning import plan_tuning, tune_bm25
    from gpt4rec_es.services.tuning_inputs import TuningOptions

    runtime = get_runtime()
    nights = runtime.decoding
    decoding = replace(
        nights,
        num_queries=num_queries or nights.num_queries,
        num_beams=num_beams or nights.num_beams,
    )
    name, k = _metric(metric, runtime.settings.k)
    options = TuningOptions(
        split=split,
        decoding=decoding,
        metric=name,
        k=k,
        analyzers=_listed(analyzers),
        hits_per_query=_numbers(hits_per_query),
        exclude_bought=runtime.settings.exclude_bought,
        **chosen,
    )
    if dry_run:
        emit(plan_tuning(runtime.tuning_parts(), options), as_json, _print_plan)
        return
    trial = tune_bm25(runtime.tuning_parts(), options, bars=progress_bar)
    _show(show_trial(runtime.engine, trial.trial_no), heatmap_file, as_json)


@tune.command(name="list")
@_JSON
def list_(as_json: bool) -> None:
    """List the trials, newest first."""
    from gpt4rec_es.services.trials import list_trials

    emit(list_trials(get_runtime().engine), as_json, _print_list)


@tune.command()
@click.argument("trial", type=int)
@_HEATMAP
@_JSON
def show(trial: int, heatmap_file: Path | None, as_json: bool) -> None:
    """Show what TRIAL found: the verdict, gains by segment, queries that gained and lost."""
    from gpt4rec_es.services.trials import show_trial

    _show(show_trial(get_runtime().engine, trial), heatmap_file, as_json)


@tune.command()
@click.argument("trial", type=int)
@click.option("--reason", help="Why, for the record.")
@click.option(
    "--force",
    is_flag=True,
    help="The best point, even if TRIAL says to keep what is live or measured another catalog.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@_JSON
def promote(trial: int, reason: str | None, force: bool, dry_run: bool, as_json: bool) -> None:
    """Make the k1 and b that TRIAL recommends live; `index bm25 undo` takes it back."""
    from gpt4rec_es.cli.index import render_change
    from gpt4rec_es.services.promote import promote as promote_trial

    runtime = get_runtime()
    _, change = promote_trial(
        runtime.engine,
        runtime.elastic,
        runtime.settings.index_alias,
        trial,
        actor=runtime.settings.actor,
        reason=reason,
        force=force,
        dry_run=dry_run,
    )

    def render(shown: "Bm25Change") -> None:
        render_change(shown, dry_run)

    emit(change, as_json, render)


def _metric(given: str, k: int) -> tuple[Any, int]:
    name, _, cut = given.partition("@")
    if name not in {"recall", "ndcg"} or (cut and not (cut.isdecimal() and 1 <= int(cut) <= 1000)):
        raise click.UsageError(f"There is no metric {given!r}. Give recall@K or ndcg@K.")
    return name, int(cut) if cut else k


def _listed(given: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in given.split(",") if part.strip())


def _numbers(given: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, _listed(given)))
    except ValueError:
        raise click.UsageError(f"{given!r} is no list of whole numbers.") from None


def _show(report: "TrialReport", heatmap_file: Path | None, as_json: bool) -> None:
    from gpt4rec_es.services.trials import write_heatmap

    if heatmap_file is not None:
        write_heatmap(report, heatmap_file)
    emit(report, as_json, lambda shown: _print(shown, heatmap_file))


def _print_plan(plan: "TuningPlan") -> None:
    print_line(
        f"Would measure {plan.points} points (and, of a fine grid, those around the best) on "
        f"{plan.users:,} users of {plan.split} ({plan.part}), with queries by {plan.generator}; "
        f"live are k1 {plan.live.k1:g}, b {plan.live.b:g}."
    )


def _print_list(found: "list[TrialRow]") -> None:
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
    )


def _print(report: "TrialReport", heatmap_file: Path | None) -> None:
    t = report.trial
    print_line(
        f"Trial {t.trial_no}: {len(report.points)} points on {t.n_users:,} users of {t.split} "
        f"({t.part}), {t.n_queries:,} queries by {t.generator}"
    )
    print_line(t.verdict)
    print_line(
        f"For {t.n_verified:,} queries the server found just the {t.k} items that the best point "
        "was measured by."
    )
    means = sorted(report.points, key=lambda row: -row[t.metric])
    shown = [row for row in means if not _is_other(row)][:5]
    print_table(["k1", "b", "recall", "ndcg"], [_values(row) for row in shown], "Best points")
    if others := [row for row in report.points if _is_other(row)]:
        columns = ["analyzer", "fields", "hits_per_query", "k1", "b", "recall", "ndcg"]
        print_table(columns, [[row[name] for name in columns] for row in others], "Also tried")
    _print_comparisons(report)
    for direction in ("gained", "lost"):
        print_table(
            ["query", "user_id", "item_id", "title", "rank before", "after"],
            [
                tuple(
                    row[name]
                    for name in (
                        "query",
                        "user_id",
                        "item_id",
                        "title",
                        "rank_before",
                        "rank_after",
                    )
                )
                for row in report.queries
                if row["direction"] == direction
            ],
            f"Queries that {direction} most",
        )
    if t.is_change:
        print_line(f"Make it live: gpt4rec tune promote {t.trial_no}")
    if heatmap_file is not None:
        print_line(f"wrote {heatmap_file}")


def _is_other(row: dict[str, Any]) -> bool:
    return any(row[name] for name in ("analyzer", "fields", "hits_per_query"))


def _values(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("k1", "b", "recall", "ndcg"))


def _print_comparisons(report: "TrialReport") -> None:
    columns = ["candidate", "reference", "segment", "n_users", "gain", "gain_low", "gain_high"]
    print_table(
        ["candidate", "against", "segment", "users", "gain", "from", "to", "p"],
        [tuple(row[name] for name in [*columns, "p_value"]) for row in report.comparisons],
        f"Gain in {report.trial.metric}@{report.trial.k}, 95 % interval",
    )
