"""``gpt4rec queries``: looking through the queries that were written."""

from typing import TYPE_CHECKING

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_table

if TYPE_CHECKING:
    from gpt4rec_es.exports.questions import FoundQuery


@click.group()
def queries() -> None:
    """Find the queries that were written."""


@queries.command()
@click.argument("words", nargs=-1, required=True)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="Queries to show.",
)
@json_option
def find(words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find queries that have all WORDS; the users and hits are those of the newest date.

    As in a web search: a phrase in quotes, `or`, and `-word` (after `--`) work.
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
