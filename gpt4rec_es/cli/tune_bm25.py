"""``gpt4rec tune bm25``: choose k1 and b by measurement."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import json_option, part_option, trust_option
from gpt4rec_es.cli.output import emit
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.cli.tune_lists import SEED, USERS, metric_at
from gpt4rec_es.cli.tune_output import print_plan, print_trial

if TYPE_CHECKING:
    from gpt4rec_es.lab.tuning.inputs import TuningOptions
    from gpt4rec_es.runtime import Runtime

_AT_LEAST_1 = click.IntRange(min=1)


@click.command()
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
@USERS
@SEED
@click.option("--dry-run", is_flag=True, help="Show what would be measured without measuring.")
@json_option
def bm25(
    split: str,
    num_queries: int | None,
    num_beams: int | None,
    metric: str,
    dry_run: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Search the grid of k1 and b on SPLIT's generated queries.

    Queries are generated once and stored. The live index is unchanged: see `tune promote`.

    Example: gpt4rec tune bm25 beauty --grid coarse
    """
    from gpt4rec_es.lab.tuning.trials import show_trial
    from gpt4rec_es.lab.tuning.tune import plan_tuning, tune_bm25

    after_interrupt("The generated queries are kept; run it again.")
    runtime = get_runtime()
    options = bm25_options(runtime, split, metric, num_queries, num_beams, **chosen)
    if dry_run:
        emit(plan_tuning(runtime.tuning_parts(), options), as_json, print_plan)
        return
    trial = tune_bm25(runtime.tuning_parts(), options, bars=progress_bar)
    emit(show_trial(runtime.engine, trial.trial_no), as_json, print_trial)


def bm25_options(
    runtime: "Runtime",
    split: str,
    metric: str = "recall",
    num_queries: int | None = None,
    num_beams: int | None = None,
    **chosen: Any,
) -> "TuningOptions":
    """Return the options of a tuning of k1 and b; queries are decoded by the live recipe."""
    from gpt4rec_es.lab.tuning.inputs import TuningOptions

    recipe = runtime.recipe
    nights = recipe.recipe.decoding
    queries = num_queries or nights.num_queries
    beams = num_beams or max(nights.num_beams, queries)
    decoding = replace(nights, num_queries=queries, num_beams=beams)
    name, k = metric_at(metric, runtime.settings.night.k)
    return TuningOptions(
        split=split,
        metric=name,
        k=k,
        exclude_bought=runtime.settings.night.exclude_bought,
        recipe=recipe.changed(decoding=decoding),
        **chosen,
    )
