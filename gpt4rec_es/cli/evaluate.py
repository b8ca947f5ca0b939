"""``gpt4rec evaluate``: measure methods on a split and compare the results."""

from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.evaluate_compare import compare, union
from gpt4rec_es.cli.evaluate_output import (
    print_evaluation,
    print_list,
    print_reports,
)
from gpt4rec_es.cli.evaluate_table import table
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.number_types import FloatRange
from gpt4rec_es.cli.options import (
    RunsByDefault,
    changed_recipes,
    encoder_option,
    fields_option,
    json_option,
    labels_option,
    numbers,
    part_option,
    reranker_option,
    trained_option,
    trust_option,
    wide_option,
)
from gpt4rec_es.cli.output import emit
from gpt4rec_es.cli.progress import progress_bar

if TYPE_CHECKING:
    from gpt4rec_es.lab.evaluation.night_rules import NightRules
    from gpt4rec_es.runtime import Runtime


@click.group(cls=RunsByDefault)
def evaluate() -> None:
    """Measure recommenders on a split; list, show and compare the results.

    `gpt4rec evaluate SPLIT` is short for `gpt4rec evaluate run SPLIT`, and `gpt4rec evaluate SPLIT
    --table paper` for `gpt4rec evaluate table SPLIT`; see docs/evaluation.md.
    """


@evaluate.command()
@click.argument("split", shell_complete=names("split"))
@click.option(
    "--method",
    "methods",
    multiple=True,
    help="Method to measure: popularity, last-title, last-3-titles, last-5-titles, history-bm25, "
    "co_purchases, hybrid; queries: generated queries only; product: lists as a night makes them "
    "by a recipe; baselines: all methods without a model; sasrec or another METHOD of `train "
    "baseline`: the folder .models/METHOD-SPLIT. Repeatable.",
)
@part_option(
    "validation",
    "Part of the split: choose settings on validation, measure the choice on the test.",
)
@click.option(
    "--k",
    "ks",
    default="5,10,20,40",
    show_default=True,
    callback=numbers,
    help="List lengths K to measure at, such as 5,10,20,40.",
)
@click.option(
    "--num-queries",
    callback=lambda c, p, v: numbers(c, p, v) if v else (),
    help="Queries per user, such as 5,10,20,40. [default: by the recipe]",
)
@click.option(
    "--num-beams",
    type=click.IntRange(min=1),
    help="Beams of the beam search. [default: by the recipe, or the number of queries]",
)
@click.option(
    "--generator",
    shell_complete=names("generator"),
    help="Generator of the queries. [default: the one nights use]",
)
@trust_option
@trained_option
@reranker_option
@encoder_option
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    shell_complete=names("recipe"),
    help="Recipe to measure; repeatable for method product. [default: the live one]",
)
@click.option(
    "--sources",
    multiple=True,
    help="Weighted sources of method product, such as queries:0.1,co_purchase:0.9; repeatable. "
    "[default: by the recipe]",
)
@click.option(
    "--fusion",
    type=click.Choice(["scores", "ranks"]),
    help="Fusion of method product. [default: by the recipe]",
)
@click.option(
    "--as-night",
    is_flag=True,
    help="Method product: apply the rules and forbidden phrases of a night planned today.",
)
@click.option(
    "--minimum-should-match",
    help="Number or percentage of a query's terms that a title must contain, such as 2 or 75%. "
    "[default: by the recipe]",
)
@fields_option
@click.option("--k1", type=FloatRange(min=0), help="BM25 k1. [default: that of the live index]")
@click.option("--b", type=FloatRange(0, 1), help="BM25 b. [default: that of the live index]")
@click.option(
    "--history-decay",
    type=FloatRange(0, 1, min_open=True),
    default=0.7,
    show_default=True,
    help="Baselines: factor by which each older purchase counts less.",
)
@click.option(
    "--title-weight",
    type=FloatRange(0, 1),
    default=0.3,
    show_default=True,
    help="Weight of titles in method hybrid.",
)
@click.option(
    "--learn-validation/--no-learn-validation",
    default=True,
    show_default=True,
    help="Baselines learn from the validation part as well, before the test.",
)
@labels_option
@click.option(
    "--sample", type=click.IntRange(min=1), help="Maximum number of users; a fixed sample."
)
@json_option
def run(
    split: str,
    *,
    methods: tuple[str, ...],
    num_queries: tuple[int, ...],
    num_beams: int | None,
    recipes: tuple[str, ...],
    sources: tuple[str, ...],
    fusion: str | None,
    as_night: bool,
    minimum_should_match: str | None,
    fields: tuple[tuple[str, float], ...] | None,
    k1: float | None,
    b: float | None,
    encoder: str | None,
    history_decay: float,
    title_weight: float,
    category_labels: str,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Measure methods on SPLIT and store the results.

    Example: gpt4rec evaluate run beauty --method hybrid --k 10,40
    """
    from gpt4rec_es.lab.evaluation.evaluate import evaluate as evaluating
    from gpt4rec_es.lab.evaluation.evaluate_options import EvaluateOptions
    from gpt4rec_es.lab.evaluation.methods import BASELINES, MethodOptions
    from gpt4rec_es.metrics.labels import CategoryLabels
    from gpt4rec_es.records import Bm25

    if (k1 is None) != (b is None):
        raise click.UsageError("--k1 and --b go together.")
    several = [n for name in methods for n in (BASELINES if name == "baselines" else (name,))]
    after_interrupt("The generated queries are kept; run it again.")
    runtime = get_runtime()
    named = [runtime.recipe_called(name) for name in recipes or (None,)]
    options = EvaluateOptions(
        methods=tuple(dict.fromkeys(several)),
        recipes=changed_recipes(
            named, sources, fusion, num_beams, minimum_should_match, fields, encoder
        ),
        encoder=encoder,
        hardware=runtime.settings.generator,
        num_queries=num_queries,
        bm25=None if k1 is None or b is None else Bm25(k1, b),
        method=MethodOptions(history_decay, title_weight),
        category_labels=CategoryLabels(category_labels),
        night=_night_rules(runtime) if as_night else None,
        **chosen,
    )
    reports = evaluating(
        runtime.engine,
        runtime.elastic,
        runtime.settings.index_alias,
        split,
        options,
        open_generator=runtime.generator,
        actor=runtime.settings.actor,
        bars=progress_bar,
    )
    emit(reports, as_json, print_reports)


def _night_rules(runtime: "Runtime") -> "NightRules":
    """Return the rules and forbidden phrases of a night planned today."""
    from gpt4rec_es.lab.evaluation.night_rules import NightRules
    from gpt4rec_es.night.schedule import today

    options = runtime.night_options()
    date = today(runtime.engine, runtime.settings.timezone)
    return NightRules(date, options.rules, options.phrases)


@evaluate.command("list")
@click.option("--split", shell_complete=names("split"), help="Only evaluations on this split.")
@wide_option
@json_option
def list_(split: str | None, wide: bool, as_json: bool) -> None:
    """List stored evaluations, oldest first.

    Example: gpt4rec evaluate list --split beauty
    """
    from gpt4rec_es.lab.evaluation.stored import list_evaluations

    found = list_evaluations(get_runtime().engine, split)
    emit(found, as_json, lambda rows: print_list(rows, wide=wide))


@evaluate.command()
@click.argument("evaluation", type=int)
@json_option
def show(evaluation: int, as_json: bool) -> None:
    """Show all metrics of EVALUATION (a number), overall and by segment.

    Example: gpt4rec evaluate show 3
    """
    from gpt4rec_es.lab.evaluation.stored import show_evaluation

    emit(show_evaluation(get_runtime().engine, evaluation), as_json, print_evaluation)


for _command in (table, compare, union):
    evaluate.add_command(_command)
