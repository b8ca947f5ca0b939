"""``gpt4rec tune fields``: choose the weights of fields beside the title by measurement."""

from typing import Any

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import json_option, part_option, trust_option
from gpt4rec_es.cli.output import emit
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.cli.tune_bm25 import bm25_options
from gpt4rec_es.cli.tune_lists import SEED, USERS
from gpt4rec_es.cli.tune_lists_output import print_list_trial
from gpt4rec_es.options.search_options import FIELDS


@click.command()
@click.argument("split", shell_complete=names("split"))
@click.option(
    "--field",
    "several",
    multiple=True,
    type=click.Choice(FIELDS),
    help="Field to weigh; repeatable. [default: all]",
)
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
    "--metric",
    default="recall",
    show_default=True,
    metavar="NAME[@K]",
    help="Metric to maximise: recall or ndcg, at K items per list. [default K: GPT4REC_K]",
)
@USERS
@SEED
@json_option
def fields(split: str, several: tuple[str, ...], metric: str, as_json: bool, **chosen: Any) -> None:
    """Choose the weights of fields that SPLIT's queries search beside the title.

    Nothing is live before `tune promote`, which changes the recipe, and k1 and b of
    the fields if others are better.

    Example: gpt4rec tune fields beauty --field brand
    """
    from gpt4rec_es.lab.tuning.tune_fields import tune_fields

    after_interrupt("The generated queries are kept; run it again.")
    runtime = get_runtime()
    options = bm25_options(runtime, split, metric, **chosen)
    trial = tune_fields(runtime.tuning_parts(), options, several or None, bars=progress_bar)
    emit(trial, as_json, print_list_trial)
