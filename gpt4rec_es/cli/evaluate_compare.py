"""``gpt4rec evaluate compare | union``: stored evaluations beside each other."""

from typing import TYPE_CHECKING

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.evaluate_output import print_comparison
from gpt4rec_es.cli.options import json_option, numbers
from gpt4rec_es.cli.output import emit, plural, print_line, print_table

if TYPE_CHECKING:
    from gpt4rec_es.lab.evaluation.union import Unions


@click.command()
@click.argument("first", type=int)
@click.argument("second", type=int)
@click.option(
    "--segment",
    help="Compare the users of one segment of `evaluate show`, such as 'target not co-purchased'.",
)
@json_option
def compare(first: int, second: int, segment: str | None, as_json: bool) -> None:
    """Compare evaluation SECOND with FIRST, user by user.

    Example: gpt4rec evaluate compare 3 4
    """
    from gpt4rec_es.lab.evaluation.stored import compare as comparing

    emit(comparing(get_runtime().engine, first, second, segment), as_json, print_comparison)


@click.command()
@click.argument("first", type=int)
@click.argument("others", type=int, nargs=-1, required=True)
@click.option(
    "--k",
    "ks",
    default="10,40",
    show_default=True,
    callback=numbers,
    help="List lengths K, such as 10,40.",
)
@json_option
def union(first: int, others: tuple[int, ...], ks: tuple[int, ...], as_json: bool) -> None:
    """Show what evaluations OTHERS find that FIRST does not, and how much all find together.

    Example: gpt4rec evaluate union 3 4 5
    """
    from gpt4rec_es.lab.evaluation.union import unions

    emit(unions(get_runtime().engine, first, others, ks), as_json, print_unions)


def print_unions(found: "Unions") -> None:
    """Print shares of targets: found by each, by one alone, and by either."""
    print_line(
        f"{found.label} ({found.evaluation_no}) and others on {found.split} ({found.part}), "
        f"{plural(found.users, 'user')}: fractions of targets found"
    )
    print_table(
        ["K", "other", "first", "found", "only first", "only other", "±", "either"],
        [
            [one.k, f"{one.label} ({one.evaluation_no})"]
            + [f"{value:.4f}" for value in (one.first, one.other, one.only_first, one.only_other)]
            + [f"{(one.high - one.low) / 2:.4f}", f"{one.either:.4f}"]
            for one in found.unions
        ],
    )
    for k, recall in found.together.items():
        print_line(f"all together at K = {k}: {recall:.4f}")
