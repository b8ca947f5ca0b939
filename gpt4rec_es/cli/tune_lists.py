"""``gpt4rec tune lists``: fit the recipe of lists to a shop."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.number_types import SEEDS
from gpt4rec_es.cli.options import json_option, part_option, trust_option
from gpt4rec_es.cli.output import emit
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.cli.tune_lists_output import print_list_plan, print_list_trial

if TYPE_CHECKING:
    from gpt4rec_es.lab.tuning.lists.list_options import ListTuningOptions
    from gpt4rec_es.runtime import Runtime

_AT_LEAST_1 = click.IntRange(min=1)
SEED = click.option(
    "--seed",
    type=SEEDS,
    default=0,
    show_default=True,
    help="Seed of intervals and tests, and of what is drawn.",
)

TRIALS = click.option(
    "--trials",
    type=click.IntRange(1, 1000),
    default=40,
    show_default=True,
    help="Number of settings to measure; coefficients are fitted for each.",
)
WORK = click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for unfinished work; removed at the end. [default: .SPLIT.tuning]",
)
USERS = click.option(
    "--users",
    "most_users",
    type=_AT_LEAST_1,
    default=20_000,
    show_default=True,
    help="Maximum number of users; a fixed sample.",
)

RERANKER = click.option(
    "--reranker",
    shell_complete=names("reranker"),
    help="Registered re-ranker, trained on SPLIT, that joins if it helps by more than chance. "
    "[default: that of the live recipe, if any]",
)
ENCODER = click.option(
    "--encoder",
    shell_complete=names("encoder"),
    help="Registered encoder; searches by its vectors join if they help by more than chance. "
    "[default: that of the live recipe, if any]",
)


def metric_at(given: str, k: int) -> tuple[Any, int]:
    """Return metric and list length of a text such as recall@20; ``k`` is the default length.

    Raises:
        click.UsageError: there is no such metric.
    """
    name, _, cut = given.partition("@")
    if name not in {"recall", "ndcg"} or (cut and not (cut.isdecimal() and 1 <= int(cut) <= 1000)):
        raise click.UsageError(f"There is no metric {given!r}. Give recall@K or ndcg@K.")
    return name, int(cut) if cut else k


@click.command()
@click.argument("split", shell_complete=names("split"))
@part_option(
    "validation",
    "Part of the split to measure on; a recipe chosen on the test cannot be reported on it.",
)
@click.option(
    "--generator",
    shell_complete=names("generator"),
    help="Generator of the queries. [default: the one nights use, if the recipe has queries]",
)
@trust_option
@click.option(
    "--metric",
    default="ndcg",
    show_default=True,
    metavar="NAME[@K]",
    help="Metric to maximise: recall or ndcg, at K items per list. [default K: GPT4REC_K]",
)
@RERANKER
@ENCODER
@TRIALS
@WORK
@USERS
@SEED
@click.option("--dry-run", is_flag=True, help="Show what would be measured without measuring.")
@json_option
def lists(
    split: str, metric: str, work: Path | None, dry_run: bool, as_json: bool, **chosen: Any
) -> None:
    """Fit a recipe to SPLIT's purchases, and compare it with the live one on other users.

    The recipe begins with the live one, if it is learned, or with `default`. The live recipe is
    unchanged: see `tune promote`. After a kill, the same command goes on after the last setting.

    Example: gpt4rec tune lists baskets
    """
    from gpt4rec_es.lab.tuning.lists.halves import plan_list_tuning
    from gpt4rec_es.lab.tuning.lists.promote import show_list_trial
    from gpt4rec_es.lab.tuning.lists.tune_lists import tune_lists

    after_interrupt("Run it again: it goes on after the last setting that was measured.")
    runtime = get_runtime()
    options = list_options(runtime, split, metric, work, **chosen)
    if dry_run:
        emit(plan_list_tuning(runtime.tuning_parts(), options), as_json, print_list_plan)
        return
    trial = tune_lists(runtime.tuning_parts(), options, bars=progress_bar)
    if found := show_list_trial(runtime.engine, trial.trial_no):
        emit(found, as_json, print_list_trial)


def list_options(
    runtime: "Runtime", split: str, metric: str = "ndcg", work: Path | None = None, **chosen: Any
) -> "ListTuningOptions":
    """Return the options of tuning a recipe: the live one if it is learned, else `default`."""
    from gpt4rec_es.lab.tuning.lists.list_options import ListTuningOptions

    live = runtime.recipe
    is_learned = live.recipe.fusion.method == "learned"
    name, k = metric_at(metric, runtime.settings.night.k)
    return ListTuningOptions(
        split=split,
        live=live,
        base=live if is_learned else runtime.recipe_called("default"),
        work=work or Path(f".{split}.tuning"),
        metric=name,
        k=k,
        hardware=runtime.settings.generator,
        **chosen,
    )
