"""``gpt4rec evaluate table``: the paper's tables 1 and 3 from stored evaluations."""

import csv
import sys
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.evaluate_output import print_unequal
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import json_option, numbers, part_option
from gpt4rec_es.cli.output import emit, plural, print_line, print_table

if TYPE_CHECKING:
    from gpt4rec_es.lab.evaluation.paper_lines import Cost, Line
    from gpt4rec_es.lab.evaluation.paper_table import PaperTable

_CSV = ("metric", "method", "num_queries", "evaluation", "k", "mean", "low", "high", "paper")
_CSV_GAIN = ("best_baseline", "gain", "gain_low", "gain_high")


@click.command()
@click.argument("split", shell_complete=names("split"))
@part_option()
@click.option(
    "--k",
    "ks",
    default="5,10,20,40",
    show_default=True,
    callback=numbers,
    help="List lengths K, and numbers of generated queries.",
)
@click.option(
    "--paper",
    type=click.Choice(["beauty", "electronics", "none"]),
    default="none",
    show_default=True,
    help="Data set of the paper whose figures are printed beside.",
)
@click.option(
    "--evaluation",
    "chosen",
    type=int,
    multiple=True,
    help="Number of an evaluation that counts in place of its method's newest; repeatable.",
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one row per cell.")
def table(
    split: str,
    part: str,
    ks: tuple[int, ...],
    paper: str,
    chosen: tuple[int, ...],
    as_json: bool,
    as_csv: bool,
) -> None:
    """Print the paper's comparison on SPLIT from stored evaluations, and what they cost.

    Missing cells are named with the commands that fill them.

    Example: gpt4rec evaluate table beauty --paper beauty
    """
    from gpt4rec_es.lab.evaluation.paper_table import paper_table

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other.")
    found = paper_table(
        get_runtime().engine,
        split,
        part=part,
        ks=ks,
        paper=None if paper == "none" else paper,
        chosen=chosen,
    )
    emit(found, as_json, print_csv if as_csv else print_paper_table)


def print_csv(found: "PaperTable") -> None:
    """Print one row per method, metric and K; gains beside the recall that they belong to."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*_CSV, *_CSV_GAIN])
    gains = {(gain.label, gain.k): gain for gain in found.gains}
    for line in found.lines:
        for cell in line.cells:
            gain = gains.get((line.label, cell.k)) if cell.metric == "recall" else None
            writer.writerow(
                [cell.metric, line.label, line.num_queries, cell.evaluation_no, cell.k]
                + [cell.mean, cell.low, cell.high, cell.paper]
                + ([gain.best_baseline, gain.gain, gain.low, gain.high] if gain else [""] * 4)
            )


def print_paper_table(found: "PaperTable") -> None:
    """Print a table per metric, the gains, the cost, and what is missing."""
    print_line(f"{found.split} ({found.part}), {plural(found.users, 'user')}")
    if found.paper:
        print_line(f"paper: arXiv 2304.03879, tables 1 and 3, {found.paper}; its own draw of users")
        if found.protocol != "gpt4rec":
            print_line(f"The paper splits otherwise: this split's protocol is {found.protocol}.")
    if found.users_by_items:
        print_line(
            f"{', '.join(found.users_by_items)}: users are new, served by the mean of their "
            "items' vectors"
        )
    metrics = dict.fromkeys(
        cell.metric
        for line in found.lines
        for cell in line.cells
        if cell.mean is not None or cell.paper is not None
    )
    for metric in metrics:
        print_table(
            [metric, "no", *(f"@{k}" for k in found.ks), f"±@{_shown(found.ks)}"],
            [row for line in found.lines for row in _rows(line, metric, found.ks)],
        )
    print_table(
        ["K", "method", "best baseline", "gain", "low", "high"],
        [
            [one.k, one.label, one.best_baseline, *map(_four, (one.gain, one.low, one.high))]
            for one in found.gains
        ],
        "Recall@K over the best baseline, with paired 95 % intervals",
    )
    print_table(
        ["method", "no", "min", "MB", "threads", "s/1,000", "threads", "validation"],
        [_cost(line, line.cost) for line in found.lines if line.cost],
        "Cost of training, and of lists for 1,000 users; validation: learned from it",
    )
    print_unequal({line.label: line.learned_validation for line in found.lines})
    for one in found.missing:
        numbers_ = f" m={_joined(one.num_queries)}" if one.num_queries else ""
        print_line(f"missing: {', '.join(one.methods)}{numbers_} at K {_joined(one.ks)}")
        for command in one.commands:
            print_line(f"  {command}")


def _rows(line: "Line", metric: str, ks: tuple[int, ...]) -> list[list[Any]]:
    """Return a line of a table, and one with the paper's figures where it has any."""
    cells = {cell.k: cell for cell in line.cells if cell.metric == metric}
    if not cells:
        return []
    own = [cells[k] for k in ks]
    widest = cells[_shown(ks)]
    half = None
    if widest.low is not None and widest.high is not None:
        half = (widest.high - widest.low) / 2
    numbers_ = sorted({one.evaluation_no for one in own if one.evaluation_no is not None})
    shown = numbers_[0] if len(numbers_) == 1 else _joined(tuple(numbers_)) or None
    found = [[line.label, shown, *(_four(one.mean) for one in own), _four(half)]]
    if any(one.paper is not None for one in own):
        found.append(["  paper", None, *(_four(one.paper) for one in own), None])
    return found


def _cost(line: "Line", cost: "Cost") -> list[Any]:
    minutes, seconds = cost.training_minutes, cost.seconds_per_1000_users
    return [
        line.label,
        line.evaluation_no,
        None if minutes is None else f"{minutes:.1f}",
        cost.peak_memory_mb,
        cost.training_threads,
        None if seconds is None else f"{seconds:.2f}",
        cost.serving_threads,
        line.learned_validation,
    ]


def _shown(ks: tuple[int, ...]) -> int:
    """Return the K whose interval is printed."""
    return 10 if 10 in ks else ks[-1]


def _joined(several: tuple[int, ...]) -> str:
    return ", ".join(map(str, several))


def _four(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
