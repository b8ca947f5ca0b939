"""``gpt4rec queries``: full-text search over generated queries."""

from typing import TYPE_CHECKING

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_table

if TYPE_CHECKING:
    from gpt4rec_es.exports.questions import FoundQuery


@click.group()
def queries() -> None:
    """Find generated queries."""


@queries.command()
@click.argument("words", nargs=-1, required=True)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="Maximum number of queries to show.",
)
@json_option
def find(words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find generated queries that contain all WORDS; users and hits are of the newest date.

    Supports phrases in quotes, `or`, and `-word` (after `--`).

    Example: gpt4rec queries find wooden train
    """
    from gpt4rec_es.exports.questions import find_queries

    emit(find_queries(get_runtime().engine, " ".join(words), limit), as_json, _print_found)


def _print_found(rows: "list[FoundQuery]") -> None:
    print_table(
        ["query", "date", "users", "hits", "examples of users' last titles"],
        [
            (
                row.query,
                row.logical_date,
                row.users,
                f"{row.hits}+" if row.has_more_hits else row.hits,
                "; ".join(row.example_titles or ()) or None,
            )
            for row in rows
        ],
    )
