"""The page of all nights, with links to those that have a page in its folder."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.db.rows import page_index as rows
from gpt4rec_es.db.rows.readings import read
from gpt4rec_es.reports import numbers
from gpt4rec_es.reports.charts import spark
from gpt4rec_es.reports.night_figures import Figure
from gpt4rec_es.reports.numbers import count, share
from gpt4rec_es.reports.page import Link, Page, Section, render_page
from gpt4rec_es.reports.tables import Column, table

# Newest runs of the page: a year of nights, with some that were repeated.
_MOST = 400
_TREND = 30
_COLUMNS = (
    Column("logical_date", "Date"),
    Column("run_id", "Run", "link"),
    Column("state", "State"),
    Column("users", "Users", "count"),
    Column("fallbacks", "Fallbacks", "count", "places that fallbacks filled for known users"),
    Column("places", "Places", "count", "places in lists of users with a usable history"),
    Column("items", "Items shown", "count", "items in at least one list"),
    Column("recommendations", "Recommendations", "count"),
    Column("failed_gates", "Failed gates", "count"),
    Column("seconds", "Duration", "seconds"),
)


def render_index(engine: Engine, pages: Collection[str]) -> str:
    """Return the page of all nights; ``pages``: names of the files in its folder."""
    with engine.connect() as connection:
        found = read(connection, rows.RUNS, {"runs": _MOST})
    names = sorted(pages)
    links = {row["run_id"] for row in found.dicts()} & {
        name.removesuffix(".html") for name in names
    }
    others = [name for name in names if name.removesuffix(".html") not in links]
    published = [row for row in found.dicts() if row["items"] is not None][:_TREND]
    return render_page(
        Page(
            "Nights",
            "Recommendations for every user",
            figures=_figures(published),
            links=[Link(name, name.removesuffix(".html")) for name in others],
            sections=[
                Section(
                    "All runs, newest first",
                    [table(found, "runs", "Runs", _COLUMNS, empty="No run yet.", links=links)],
                )
            ],
            footer="Dates of nights are in the schedule's time zone.",
        )
    )


def _figures(nights: Sequence[dict[str, Any]]) -> list[Figure]:
    if not nights:
        return []
    newest = nights[0]
    shown = (
        ("users", "Users", "users", count(newest["users"]), f"on {newest['logical_date']}", "runs"),
        (
            "fallbacks",
            "Fallbacks",
            "fallbacks",
            share(newest["fallbacks"] or 0, newest["places"] or 0),
            f"{count(newest['fallbacks'])} of {numbers.plural(newest['places'] or 0, 'place')}",
            "run_measures",
        ),
        (
            "items",
            "Items shown",
            "items",
            count(newest["items"]),
            "in at least one list",
            "daily_coverage",
        ),
        (
            "duration",
            "Duration",
            "seconds",
            numbers.seconds(newest["seconds"]),
            newest["run_id"],
            "runs",
        ),
    )
    return [
        Figure(
            key,
            label,
            value,
            detail,
            view,
            spark([row[column] or 0 for row in reversed(nights)]) if len(nights) > 1 else None,
        )
        for key, label, column, value, detail, view in shown
    ]
