"""Options that several commands have, so that they are called and explained alike everywhere."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

# Passed to the command as ``as_json``.
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def part_option(
    default: str = "test", meaning: str = "What of the split."
) -> Callable[[Command], Command]:
    """Return an option ``--part``: which held-out part of a split is meant."""
    return click.option(
        "--part",
        type=click.Choice(["validation", "test"]),
        default=default,
        show_default=True,
        help=meaning,
    )


def numbers(_ctx: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...]:
    """Return the numbers of an option such as "5,10,20", each once; its callback."""
    try:
        found = tuple(dict.fromkeys(int(part) for part in value.split(",")))
    except ValueError:
        raise click.BadParameter("numbers with commas between, as 5,10,20,40") from None
    if min(found) < 1:
        raise click.BadParameter("numbers from 1 on")
    return found
