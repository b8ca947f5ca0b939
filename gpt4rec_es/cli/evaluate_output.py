"""Printed forms of ``gpt4rec evaluate``."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gpt4rec_es.cli.output import first_queries_line, natural, plural, print_line, print_table

if TYPE_CHECKING:
    from gpt4rec_es.lab.evaluation.evaluate import EvaluationReport
    from gpt4rec_es.lab.evaluation.stored import EvaluationComparison

# The paper's table, and what it lacks; named as they are stored.
_SHOWN = ("recall", "ndcg", "mrr", "diversity_category", "coverage_category", "catalog_coverage")
_PAPER = ("recall", "diversity_category", "coverage_category", "diversity_brand", "coverage_brand")


def print_reports(reports: "list[EvaluationReport]") -> None:
    """Print metrics by K, and K x number of queries where there are several."""
    first = reports[0]
    print_line(
        f"{first.split}, {first.part}: {plural(first.n_eval_users, 'user')}, k1 {first.k1:g}, "
        f"b {first.b:g}"
    )
    rows = []
    for report in reports:
        cells = {(m.k, m.metric): m for m in report.metrics if m.segment == "all"}
        for k in sorted({k for k, _ in cells}):
            shown = [cells.get((k, name)) for name in _SHOWN]
            rows.append(
                [
                    report.evaluation_no,
                    _method(report.method, report.options),
                    report.num_queries,
                    k,
                ]
                + [None if one is None else _cell(one.mean, one.low, one.high) for one in shown]
            )
    print_table(["no", "method", "queries", "K", *_SHOWN], rows, "means and half their intervals")
    # Several methods and numbers of queries begin with the same queries.
    for line in dict.fromkeys(
        first_queries_line(one.distinct_first_queries, one.top_first_query_fraction)
        for one in reports
    ):
        if line:
            print_line(line)
    for nats in {one.generator: one.options.get("nats_per_title") for one in reports}.values():
        if nats:
            print_line(_nats_line(nats))
    from gpt4rec_es.lab.evaluation.paper_lines import learned_validation

    print_unequal(
        {_method(one.method, one.options): learned_validation(one.options) for one in reports}
    )
    settings: dict[str, list[EvaluationReport]] = {}
    for report in reports:
        settings.setdefault(_method(report.method, report.options), []).append(report)
    for name, group in settings.items():
        if len(group) > 1:
            print_line(name)
            _print_paper_tables(group)


def print_unequal(learned: Mapping[str, bool | None]) -> None:
    """Say which methods learned from the validation part, if others did not; None: unknown."""
    more, fewer = ([name for name, it in learned.items() if it is known] for known in (True, False))
    if more and fewer:
        text = f"learned from the validation part: {', '.join(more)}; not: {', '.join(fewer)}"
        for line in textwrap.wrap(text, 80):
            print_line(line)


def _nats_line(nats: Mapping[str, float]) -> str:
    """Return how surely a generator chooses the next title, with the marks."""
    return (
        f"nats per next title {nats['generator']:.2f} ±{nats['half_interval']:.2f} "
        f"({plural(round(nats['users']), 'user')}); "
        f"a table of popularity {nats['popularity']:.2f}, chance {nats['uniform']:.2f}"
    )


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


def print_list(rows: list[dict[str, Any]], *, wide: bool) -> None:
    """Print one line per evaluation and K."""
    shown = []
    for row in rows:
        for k, metrics in row["metrics"].items():
            queries = (row["generator_name"], row["num_queries"])
            shown.append(
                [row["evaluation_no"], row["split"], row["part"]]
                + [_method(row["method"], row["options"]), *queries, k]
                + [_four(metrics.get(name)) for name in ("recall", "ndcg", "mrr")]
                + [row["n_eval_users"], row["distinct_first_queries"]]
                + [row["top_first_query_fraction"], row["k1"], row["b"], row["created_at"]]
            )
    columns = ["no", "split", "part", "method", "generator", "queries", "K"]
    columns += ["recall", "ndcg", "mrr", "users", "first queries", "top first query"]
    columns += ["k1", "b", "stored"]
    keep = {"no", "split", "part", "method", "queries", "K", "recall", "ndcg"}
    print_table(columns, shown, keep=None if wide else keep)


def print_evaluation(data: dict[str, Any]) -> None:
    """Print one evaluation, all users first."""
    queries = f", {data['num_queries']} by {data['generator_name']}" if data["num_queries"] else ""
    print_line(
        f"Evaluation {data['evaluation_no']}: {data['method']}{queries} on {data['split']} "
        f"({data['part']}), {plural(data['n_eval_users'], 'user')}, k1 {data['k1']:g}, b "
        f"{data['b']:g}, "
        f"{data['seconds']:.0f} s"
    )
    if line := first_queries_line(data["distinct_first_queries"], data["top_first_query_fraction"]):
        print_line(line)
    print_line("options: " + ", ".join(f"{key} {value}" for key, value in data["options"].items()))
    by_segment: dict[str, list[dict[str, Any]]] = {}
    for row in data["metrics"]:
        by_segment.setdefault(row["segment"], []).append(row)
    columns = ["K", "metric", "mean", "low", "high", "users"]
    print_table(
        columns,
        [
            [row["k"], row["metric"]]
            + [_four(row[name]) for name in ("mean", "low", "high")]
            + [row["n_users"]]
            for row in by_segment.pop("all", [])
        ],
        "All users, with 95 % intervals",
    )
    print_table(
        ["segment", "users", "K", *_SHOWN],
        [
            line
            for segment in sorted(by_segment, key=natural)
            for line in _lines_of_segment(segment, by_segment[segment])
        ],
        "By segment, means and half their intervals",
    )


def _lines_of_segment(segment: str, rows: list[dict[str, Any]]) -> Iterator[list[Any]]:
    """Yield a line for each K."""
    cells = {(row["k"], row["metric"]): row for row in rows}
    for k in sorted({k for k, _ in cells}):
        shown = [cells.get((k, name)) for name in _SHOWN]
        yield [
            segment,
            cells[k, "recall"]["n_users"],
            k,
            *(one and _cell(one["mean"], one["low"], one["high"]) for one in shown),
        ]


def print_comparison(found: "EvaluationComparison") -> None:
    """Print gains with their intervals, and a verdict."""
    names = [f"{one.evaluation_no} ({one.method})" for one in (found.b, found.a)]
    print_line(
        f"{names[0]} against {names[1]} on {found.a.split} ({found.a.part}), "
        f"{plural(found.users, 'user')}"
    )
    if found.segment:
        print_line(f"of the segment {found.segment!r}, as the catalog is today")
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


def _method(name: str, options: Mapping[str, Any]) -> str:
    """Return the method's name with the settings that distinguish it."""
    if recipe := options.get("recipe"):
        name = f"{name} {recipe['name']}" + (" (changed)" if recipe.get("is_changed") else "")
    if fusion := options.get("fusion"):
        is_learned = fusion["method"] == "learned"
        sources = ", ".join(
            source if is_learned else f"{source}:{weight:g}" for source, weight in fusion["weights"]
        )
        name = f"{name} {sources} by {fusion['method']}"
    rules = ", as a night" if "rules" in options else ""
    required = options.get("minimum_should_match")
    fields = ", ".join(f"{field}:{weight:g}" for field, weight in options.get("fields", {}).items())
    return (
        f"{name}{rules}"
        + (f", {required} must match" if required else "")
        + (f", with {fields}" if fields else "")
    )


def _verdict(gain: float, p_value: float) -> str:
    if p_value >= 0.05:
        return "no more than chance"
    return "better" if gain > 0 else "worse"


def _cell(mean: float, low: float | None, high: float | None) -> str:
    return _four(mean) if low is None or high is None else f"{mean:.4f} ±{(high - low) / 2:.4f}"


def _four(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
