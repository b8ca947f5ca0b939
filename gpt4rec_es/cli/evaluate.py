"""``gpt4rec evaluate``: how good a method is on a split, and whether another is better."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.output import emit, print_line, print_table
from gpt4rec_es.cli.progress import progress_bar

if TYPE_CHECKING:
    from gpt4rec_es.services.evaluate import EvaluationReport
    from gpt4rec_es.services.evaluations import Comparison

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
# The paper's table, and what it lacks; named as they are stored.
_SHOWN = ("recall", "ndcg", "mrr", "diversity_category", "coverage_category", "catalog_coverage")
_PAPER = ("recall", "diversity_category", "coverage_category", "diversity_brand", "coverage_brand")


class _RunsByDefault(click.Group):
    """A group in which the name of a split stands for the command ``run``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = args[0] in self.commands or args[0].startswith("-")
        return super().resolve_command(ctx, args if known else ["run", *args])


@click.group(cls=_RunsByDefault)
def evaluate() -> None:
    """Measure recommenders on a split: `gpt4rec evaluate SPLIT --method hybrid`.

    Without another command's name it runs one; see docs/evaluation.md.
    """


def _numbers(_ctx: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        found = tuple(dict.fromkeys(int(part) for part in value.split(",")))
    except ValueError:
        raise click.BadParameter("numbers with commas between, as 5,10,20,40") from None
    if min(found) < 1:
        raise click.BadParameter("numbers from 1 on")
    return found


@evaluate.command()
@click.argument("split")
@click.option(
    "--method",
    "methods",
    multiple=True,
    required=True,
    help="popularity, last-title, last-3-titles, last-5-titles, history-bm25, co-occurrence, "
    "hybrid, queries; baselines: all but queries. May be given several times.",
)
@click.option(
    "--part",
    type=click.Choice(["validation", "test"]),
    default="validation",
    show_default=True,
    help="Choose on validation; measure what was chosen on the test.",
)
@click.option(
    "--k",
    "ks",
    default="5,10,20,40",
    show_default=True,
    callback=_numbers,
    help="Lengths of lists.",
)
@click.option(
    "--num-queries",
    callback=lambda c, p, v: _numbers(c, p, v) if v else (),
    help="Queries per user, as 5,10,20,40. [default: GPT4REC_NUM_QUERIES]",
)
@click.option(
    "--num-beams",
    type=click.IntRange(min=1),
    help="Beams. [default: GPT4REC_NUM_BEAMS, or as many as queries]",
)
@click.option("--generator", help="Writes the queries. [default: the one nights use]")
@click.option(
    "--trust", is_flag=True, help="Believe that the generator has not seen what is held out."
)
@click.option("--k1", type=click.FloatRange(min=0), help="BM25 k1. [default: of the live index]")
@click.option("--b", type=click.FloatRange(0, 1), help="BM25 b. [default: of the live index]")
@click.option(
    "--decay",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.7,
    show_default=True,
    help="Weight of a purchase against the next newer one, in baselines.",
)
@click.option(
    "--title-weight",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    help="Weight of titles in the hybrid.",
)
@click.option(
    "--learn-validation/--no-learn-validation",
    default=True,
    show_default=True,
    help="Before the test, baselines learn from validation, too.",
)
@click.option(
    "--category-labels",
    type=click.Choice(["path_without_root", "path", "leaf"]),
    default="path_without_root",
    show_default=True,
    help="Levels of a category that count for diversity and coverage.",
)
@click.option(
    "--sample", type=click.IntRange(min=1), help="Only so many cases, always the same ones."
)
@_JSON
def run(
    split: str,
    methods: tuple[str, ...],
    num_queries: tuple[int, ...],
    num_beams: int | None,
    k1: float | None,
    b: float | None,
    decay: float,
    title_weight: float,
    category_labels: str,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Measure methods on SPLIT and store the results."""
    from gpt4rec_es.evaluation.methods import BASELINES, MethodOptions
    from gpt4rec_es.metrics.labels import CategoryLabels
    from gpt4rec_es.records import Bm25
    from gpt4rec_es.services import evaluate as evaluating

    if (k1 is None) != (b is None):
        raise click.UsageError("--k1 and --b go together.")
    names = [n for name in methods for n in (BASELINES if name == "baselines" else (name,))]
    runtime = get_runtime()
    decoding = runtime.decoding
    if num_beams is not None:
        most = min(decoding.num_queries, num_beams)
        decoding = dataclasses.replace(decoding, num_queries=most, num_beams=num_beams)
    options = evaluating.EvaluateOptions(
        methods=tuple(dict.fromkeys(names)),
        num_queries=num_queries or (runtime.settings.num_queries,),
        bm25=None if k1 is None or b is None else Bm25(k1, b),
        method=MethodOptions(decay, title_weight),
        category_labels=CategoryLabels(category_labels),
        decoding=decoding,
        **chosen,
    )
    reports = evaluating.evaluate(
        runtime.engine,
        runtime.elastic,
        runtime.settings.index_alias,
        split,
        options,
        open_generator=runtime.generator,
        actor=runtime.settings.actor,
        bars=progress_bar,
    )
    emit(reports, as_json, _print_reports)


@evaluate.command("list")
@click.option("--split", help="Only those on this split.")
@_JSON
def list_(split: str | None, as_json: bool) -> None:
    """List stored evaluations, the oldest first."""
    from gpt4rec_es.services.evaluations import list_evaluations

    emit(list_evaluations(get_runtime().engine, split), as_json, _print_list)


@evaluate.command()
@click.argument("evaluation", type=int)
@_JSON
def show(evaluation: int, as_json: bool) -> None:
    """Show all metrics of EVALUATION (a number), over all users and by segment."""
    from gpt4rec_es.services.evaluations import show_evaluation

    emit(show_evaluation(get_runtime().engine, evaluation), as_json, _print_evaluation)


@evaluate.command()
@click.argument("first", type=int)
@click.argument("second", type=int)
@_JSON
def compare(first: int, second: int, as_json: bool) -> None:
    """Compare evaluation SECOND with FIRST, user by user."""
    from gpt4rec_es.services.evaluations import compare as comparing

    emit(comparing(get_runtime().engine, first, second), as_json, _print_comparison)


def _print_reports(reports: "list[EvaluationReport]") -> None:
    first = reports[0]
    print_line(
        f"{first.split}, {first.part}: {first.n_cases:,} users, k1 {first.k1:g}, b {first.b:g}"
    )
    rows = []
    for report in reports:
        cells = {(m.k, m.metric): m for m in report.metrics if m.segment == "all"}
        for k in sorted({k for k, _ in cells}):
            shown = [cells.get((k, name)) for name in _SHOWN]
            rows.append(
                [report.evaluation_no, report.method, report.num_queries, k]
                + [None if one is None else _cell(one.mean, one.low, one.high) for one in shown]
            )
    print_table(["no", "method", "queries", "K", *_SHOWN], rows, "means and half their intervals")
    by_queries = [report for report in reports if report.num_queries is not None]
    if len(by_queries) > 1:
        _print_paper_tables(by_queries)


def _print_paper_tables(reports: "Sequence[EvaluationReport]") -> None:
    """Print K x number of queries as GPT4Rec does; no cell where there are fewer places."""
    for metric in _PAPER:
        cells = {
            (row.k, report.num_queries): row.mean
            for report in reports
            for row in report.metrics
            if (row.segment, row.metric) == ("all", metric)
        }
        columns = [report.num_queries for report in reports]
        if cells:
            print_table(
                [metric, *(f"m={m}" for m in columns)],
                [
                    [
                        f"@{k}",
                        *(_four(cells.get((k, m)) if m and m <= k else None) for m in columns),
                    ]
                    for k in sorted({k for k, _ in cells})
                ],
            )


def _print_list(rows: list[dict[str, Any]]) -> None:
    shown = []
    for row in rows:
        for k, metrics in row["metrics"].items():
            queries = (row["generator_name"], row["num_queries"])
            shown.append(
                [row["evaluation_no"], row["split"], row["part"], row["method"], *queries, k]
                + [_four(metrics.get(name)) for name in ("recall", "ndcg", "mrr")]
                + [row["n_cases"], row["k1"], row["b"], row["created_at"]]
            )
    columns = ["no", "split", "part", "method", "generator", "queries", "K"]
    columns += ["recall", "ndcg", "mrr", "users", "k1", "b", "stored"]
    print_table(columns, shown)


def _print_evaluation(data: dict[str, Any]) -> None:
    queries = f", {data['num_queries']} by {data['generator_name']}" if data["num_queries"] else ""
    print_line(
        f"Evaluation {data['evaluation_no']}: {data['method']}{queries} on {data['split']} "
        f"({data['part']}), {data['n_cases']:,} users, k1 {data['k1']:g}, b {data['b']:g}, "
        f"{data['seconds']:.0f} s"
    )
    print_line("options: " + ", ".join(f"{key} {value}" for key, value in data["options"].items()))
    segments = dict.fromkeys(["all", *(row["segment"] for row in data["metrics"])])
    print_table(
        ["segment", "K", "metric", "mean", "low", "high", "users"],
        [
            [segment, row["k"], row["metric"]]
            + [_four(row[name]) for name in ("mean", "low", "high")]
            + [row["n_users"]]
            for segment in segments
            for row in data["metrics"]
            if row["segment"] == segment
        ],
    )


def _print_comparison(found: "Comparison") -> None:
    names = [f"{one.evaluation_no} ({one.method})" for one in (found.b, found.a)]
    print_line(
        f"{names[0]} against {names[1]} on {found.a.split} ({found.a.part}), {found.users:,} users"
    )
    print_table(
        [
            "K",
            "metric",
            *(f"no {one.evaluation_no}" for one in (found.a, found.b)),
            "gain",
            "low",
            "high",
            "p",
            "p adjusted",
            "verdict",
        ],
        [
            [one.k, one.metric]
            + [_four(value) for value in (one.a, one.b, one.gain, one.low, one.high)]
            + [_four(one.p_value), _four(one.adjusted), _verdict(one.gain, one.adjusted)]
            for one in found.differences
        ],
    )


def _verdict(gain: float, p_value: float) -> str:
    if p_value >= 0.05:
        return "no more than chance"
    return "better" if gain > 0 else "worse"


def _cell(mean: float, low: float | None, high: float | None) -> str:
    return _four(mean) if low is None or high is None else f"{mean:.4f} ±{(high - low) / 2:.4f}"


def _four(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
