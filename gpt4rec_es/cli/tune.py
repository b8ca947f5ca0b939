"""``gpt4rec tune``: k1 and b by measurement, and making what was found better live."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import (
    dry_run_option,
    json_option,
    part_option,
    reason_option,
    svg_file,
    trust_option,
    wide_option,
)
from gpt4rec_es.cli.output import emit
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.cli.tune_lists import SEED, lists, metric_at
from gpt4rec_es.cli.tune_lists_output import print_list_trial, print_list_trials
from gpt4rec_es.cli.tune_output import print_list, print_plan, print_trial

if TYPE_CHECKING:
    from gpt4rec_es.index.bm25 import Bm25Change
    from gpt4rec_es.lab.tuning.trials import TrialReport

_HEATMAP = click.option(
    "--heatmap",
    "heatmap_file",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=svg_file,
    help="File for an SVG heat map over k1 and b.",
)
_AT_LEAST_1 = click.IntRange(min=1)


@click.group()
def tune() -> None:
    """Choose k1 and b, and the recipe of lists, by measurement on a split."""


@tune.command()
@click.argument("split", shell_complete=names("split"))
@part_option(
    "validation",
    "Part of the split to measure on; values chosen on the test cannot be reported on it.",
)
@click.option(
    "--generator",
    shell_complete=names("generator"),
    help="Generator of the queries. [default: the one nights use]",
)
@trust_option
@click.option(
    "--num-queries", type=_AT_LEAST_1, help="Queries per user. [default: by the live recipe]"
)
@click.option(
    "--num-beams",
    type=_AT_LEAST_1,
    help="Beams of the beam search. [default: by the live recipe, or the number of queries]",
)
@click.option(
    "--metric",
    default="recall",
    show_default=True,
    metavar="NAME[@K]",
    help="Metric to maximise: recall or ndcg, at K items per list. [default K: GPT4REC_K]",
)
@click.option(
    "--grid",
    type=click.Choice(["coarse", "fine", "full"]),
    default="fine",
    show_default=True,
    help="Grid size: 20 points, those and about 80 around the best, or 30 x 11.",
)
@click.option(
    "--users",
    "most_users",
    type=_AT_LEAST_1,
    default=20_000,
    show_default=True,
    help="Maximum number of users; a fixed sample.",
)
@SEED
@_HEATMAP
@click.option("--dry-run", is_flag=True, help="Show what would be measured without measuring.")
@json_option
def bm25(
    split: str,
    num_queries: int | None,
    num_beams: int | None,
    metric: str,
    heatmap_file: Path | None,
    dry_run: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Search the grid of k1 and b on SPLIT's generated queries.

    Queries are generated once and stored. The live index is unchanged: see `tune promote`.

    Example: gpt4rec tune bm25 beauty --heatmap bm25.svg
    """
    from gpt4rec_es.lab.tuning.inputs import TuningOptions
    from gpt4rec_es.lab.tuning.trials import require_svg, show_trial
    from gpt4rec_es.lab.tuning.tune import plan_tuning, tune_bm25

    require_svg(heatmap_file)
    after_interrupt("The generated queries are kept; run it again.")
    runtime = get_runtime()
    recipe = runtime.recipe
    nights = recipe.recipe.decoding
    queries = num_queries or nights.num_queries
    decoding = replace(
        nights, num_queries=queries, num_beams=num_beams or max(nights.num_beams, queries)
    )
    name, k = metric_at(metric, runtime.settings.night.k)
    options = TuningOptions(
        split=split,
        metric=name,
        k=k,
        exclude_bought=runtime.settings.night.exclude_bought,
        recipe=recipe.changed(decoding=decoding),
        **chosen,
    )
    if dry_run:
        emit(plan_tuning(runtime.tuning_parts(), options), as_json, print_plan)
        return
    trial = tune_bm25(runtime.tuning_parts(), options, bars=progress_bar)
    _show(show_trial(runtime.engine, trial.trial_no), heatmap_file, as_json)


tune.add_command(lists)


@tune.command(name="all")
@click.argument("split", shell_complete=names("split"))
@click.pass_context
def all_(context: click.Context, split: str) -> None:
    """Run `tune bm25` and `tune lists` on SPLIT, one after the other.

    Example: gpt4rec tune all baskets
    """
    context.invoke(bm25, split=split)
    context.invoke(lists, split=split)


@tune.command(name="list")
@wide_option
@json_option
def list_(wide: bool, as_json: bool) -> None:
    """List the trials, newest first.

    Example: gpt4rec tune list
    """
    from gpt4rec_es.lab.tuning.lists.promote import list_list_trials
    from gpt4rec_es.lab.tuning.trials import list_trials

    engine = get_runtime().engine
    bm25_trials, others = list_trials(engine), list_list_trials(engine)

    def render(_shown: list[Any]) -> None:
        if bm25_trials or not others:
            print_list(bm25_trials, wide=wide)
        if others:
            print_list_trials(others, wide=wide)

    emit([*bm25_trials, *others], as_json, render)


@tune.command()
@click.argument("trial", type=int, shell_complete=names("trial"))
@_HEATMAP
@json_option
def show(trial: int, heatmap_file: Path | None, as_json: bool) -> None:
    """Show TRIAL: recommendation, gains, and what was measured.

    Example: gpt4rec tune show 2
    """
    from gpt4rec_es.lab.tuning.lists.promote import show_list_trial
    from gpt4rec_es.lab.tuning.trials import show_trial

    engine = get_runtime().engine
    found = show_list_trial(engine, trial)
    if found is not None:
        emit(found, as_json, print_list_trial)
        return
    _show(show_trial(engine, trial), heatmap_file, as_json)


@tune.command()
@click.argument("trial", type=int, shell_complete=names("trial"))
@reason_option
@click.option(
    "--force",
    is_flag=True,
    help="Apply what was best although TRIAL recommends no change, or other things are live now.",
)
@dry_run_option
@json_option
def promote(trial: int, reason: str | None, force: bool, dry_run: bool, as_json: bool) -> None:
    """Make live what TRIAL recommends: k1 and b, or a recipe.

    `index bm25 undo` and `recipes undo` revert it.

    Example: gpt4rec tune promote 2 --dry-run
    """
    from gpt4rec_es.cli.index_bm25 import render_change
    from gpt4rec_es.cli.recipes import emit_change
    from gpt4rec_es.lab.tuning.lists.promote import promote_list_trial, show_list_trial
    from gpt4rec_es.lab.tuning.trials import promote as promote_trial

    runtime = get_runtime()
    if found := show_list_trial(runtime.engine, trial):
        change_of_use = promote_list_trial(
            runtime.engine,
            found.trial,
            actor=runtime.settings.actor,
            reason=reason,
            force=force,
            dry_run=dry_run,
        )
        emit_change(change_of_use, dry_run, as_json)
        return
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


def _show(report: "TrialReport", heatmap_file: Path | None, as_json: bool) -> None:
    from gpt4rec_es.lab.tuning.trials import write_heatmap

    if heatmap_file is not None:
        write_heatmap(report, heatmap_file)
    emit(report, as_json, lambda shown: print_trial(shown, heatmap_file))
