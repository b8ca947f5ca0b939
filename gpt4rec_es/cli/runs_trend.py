"""``gpt4rec runs trend``: published nights side by side."""

from dataclasses import asdict
from typing import Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import json_option, wide_option
from gpt4rec_es.cli.output import emit, print_line, print_table

_COLUMNS = {
    "run_id": "run_id",
    "logical_date": "date",
    "users": "users",
    "fallbacks": "fallbacks",
    "coverage": "coverage",
    "top_item": "top item",
    "top_query": "top query",
    "changed": "changed",
    "buyers_1": "buyers",
    "hit_rate_1": "hit rate",
    "popularity_1": "popularity",
    "buyers_7": "buyers 7 d",
    "hit_rate_7": "hit rate 7 d",
    "popularity_7": "popularity 7 d",
    "seconds": "seconds",
    "tokens": "tokens",
    "searches": "searches",
}
_KEEP = {"date", "users", "fallbacks", "coverage", "top item", "changed", "hit rate", "seconds"}


@click.command()
@click.option(
    "--limit",
    default=14,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Maximum number of nights.",
)
@wide_option
@json_option
def trend(limit: int, wide: bool, as_json: bool) -> None:
    """Show published nights side by side, newest first.

    In per cent: places filled by fallbacks, items of the catalog in some list, lists with the most
    frequent item, lists that differ from those before; of the users that bought something new
    within a day (--wide: 7 days), those that had it in their list (`gpt4rec quality`). Cost:
    seconds, and with --wide generated tokens and searches. Nights whose lists are pruned are
    included.

    Example: gpt4rec runs trend --limit 30
    """
    from gpt4rec_es.db.rows.trend import load_trend

    with get_runtime().engine.connect() as connection:
        found = [asdict(row) for row in load_trend(connection, "nightly", limit)]
    emit(found, as_json, lambda rows: print_trend(rows, wide=wide))


def print_trend(rows: list[dict[str, Any]], *, wide: bool) -> None:
    """Print one line per night; fractions in per cent."""
    print_table(
        list(_COLUMNS.values()),
        [[_cell(name, row[name]) for name in _COLUMNS] for row in rows],
        keep=None if wide else _KEEP,
        wraps=not wide,
    )
    if rows:
        print_line(
            "In per cent: fallbacks (places), coverage (items), top item and changed (lists),"
        )
        print_line("hit rate (users that bought something new within a day; observational).")


def _cell(name: str, value: Any) -> Any:
    """Return a fraction in per cent, seconds without decimals, and other values as they are."""
    if name == "seconds":
        return round(value)
    return round(100 * value, 2) if isinstance(value, float) else value
