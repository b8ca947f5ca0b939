"""The page of a trial of recipes: the winner against the live one, and where they differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from sqlalchemy import Connection

from gpt4rec_es.db.rows import page_lab as rows
from gpt4rec_es.db.rows.readings import Rows, Value, read
from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.recipe import Recipe, differences
from gpt4rec_es.options.recipe_document import read_document
from gpt4rec_es.recipes.shipped import SHIPPED, shipped
from gpt4rec_es.reports import numbers
from gpt4rec_es.reports.page import Page, Section
from gpt4rec_es.reports.plots import Point, tried
from gpt4rec_es.reports.tables import Column, Table, table

GAIN = (
    Column("mean", "Gain (95 % interval)", "interval"),
    Column("p_value", "p", "real"),
)
_OPTIONS = (
    *("num_queries", "query_decay", "query_hits", "candidates", "history", "history_decay"),
    *("neighbours", "pair_decay", "pair_backward", "pair_popularity", "pair_damping"),
)
_VALUES = (Column("live", "Live", "real"), Column("best", "Best", "real"))


def recipe_page(connection: Connection, trial: Mapping[str, Any], values: dict[str, Value]) -> Page:
    """Return the page of a trial of recipes, a row of list_trials."""
    metric = f"{trial['list_trial_metric']}@{trial['list_trial_k']}"
    live = trial["live_recipe_name"]
    settings = read(connection, rows.LIST_SETTINGS, values)
    return Page(
        f"Trial {trial['trial_id']}: recipes",
        f"Tuned on {trial['split_name']}, {trial['list_trial_part']}: chosen on "
        f"{numbers.plural(trial['fit_user_count'], 'user')}, compared on "
        f"{numbers.plural(trial['test_user_count'], 'other')}",
        lead=trial["recipe_verdict"],
        sections=[
            Section(
                f"Winner against {live}",
                [
                    table(
                        read(connection, rows.LIST_COMPARISONS, values),
                        "list_comparisons",
                        "Gain of the best recipe",
                        [Column("metric", "Metric"), *_VALUES, *GAIN],
                    )
                ],
            ),
            Section(
                "By segment",
                [
                    table(
                        read(connection, rows.LIST_SEGMENTS, values),
                        "list_segments",
                        f"Gain in {metric} by segment of users",
                        [
                            Column("segment", "Segment"),
                            Column("users", "Users", "count"),
                            *_VALUES,
                            *GAIN,
                        ],
                        empty="Not measured: the trial is older than comparisons by segment.",
                    )
                ],
                "Of users that no recipe was chosen on. p-values are not adjusted.",
            ),
            *_changes(connection, values),
            Section(
                "What the recipe changes",
                [_differences(connection, trial, values)],
                f"Entries of the best recipe that differ from those of {live}.",
            ),
            Section(
                "Settings tried, the best first",
                [table(settings, "list_settings", "Settings", _settings(metric))],
                "Each dot is a setting, on users that its coefficients were not fitted on; the "
                "diamond is the best. The table has the numbers.",
                plots=_plots(settings, metric),
            ),
        ],
        footer=f"The recipe itself: gpt4rec tune show {trial['trial_id']}.",
    )


# Kind of change -> heading of its section, what the section is about, heading of its first column.
_CHANGES = {
    "purchase": (
        "Purchases found",
        "Held-out purchases in lists, by users that made them.",
        "Item",
    ),
    "item": ("Recommended items", "Items in lists, by users.", "Item"),
    "query": (
        "Queries",
        "Searched for users, of two or more. Without any both recipes search the same ones.",
        "Query",
    ),
}


def _changes(connection: Connection, values: dict[str, Value]) -> list[Section]:
    """Return what more and fewer users get, side by side."""

    def moved(kind: str, direction: str, caption: str, heading: str) -> Table:
        found = read(
            connection, rows.LIST_CHANGES, {**values, "kind": kind, "direction": direction}
        )
        columns = [
            Column("name", heading),
            Column("before", "Live", "count", "users by the live recipe"),
            Column("now", "Best", "count", "users by the best recipe"),
            Column("change", "Change", "signed"),
        ]
        empty = "None, or the trial is older than this comparison."
        return table(found, f"{kind}_{direction}", caption, columns, empty=empty)

    return [
        Section(
            title,
            [
                moved(kind, "gained", "For more users", heading),
                moved(kind, "lost", "For fewer users", heading),
            ],
            about,
        )
        for kind, (title, about, heading) in _CHANGES.items()
    ]


def _settings(metric: str) -> Sequence[Column]:
    return [
        Column("number", "Number", "count"),
        Column("is_fitted", "Fitted", "yes", "no: with the coefficients of the first recipe"),
        Column("value", metric, "real"),
        *(Column(name, _words(name), "real") for name in _OPTIONS),
        *(
            Column(name, heading, "yes")
            for name, heading in (
                ("has_reranker", "Re-ranker"),
                ("has_sequence", "Sequence"),
                ("has_vectors", "Vectors"),
            )
        ),
    ]


def _plots(settings: Rows, metric: str) -> list[Markup]:
    """Return a chart of the values by each option that was varied, the best setting last."""
    found = settings.dicts()[::-1]
    charts = [
        tried(
            _words(name),
            metric,
            [
                Point(row[name], row["value"], f"{_text(row[name])}: {numbers.real(row['value'])}")
                for row in found
                if row[name] is not None
            ],
        )
        for name in _OPTIONS
    ]
    return [chart for chart in charts if chart]


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _differences(
    connection: Connection, trial: Mapping[str, Any], values: dict[str, Value]
) -> Table:
    found = read(connection, rows.LIVE_RECIPE, {**values, "recipe_hash": trial["live_recipe_hash"]})
    empty = "None."
    changed: list[tuple[Any, ...]] = []
    try:
        live = _live(trial, found)
        if live is None:
            empty = "Not known: the live recipe of that time is not stored any more."
        else:
            best = read_document(trial["best_recipe"], "The best recipe")
            changed = [(name, *map(_text, pair)) for name, pair in differences(live, best).items()]
    except UsageError:
        empty = "Not known: this version cannot read the recipes."
    compared = Rows(("entry", "live", "best"), changed, found.views, found.sql)
    columns = [Column("entry", "Entry"), Column("live", "Live"), Column("best", "Best")]
    return table(compared, "recipe_differences", "Entries", columns, empty=empty)


def _live(trial: Mapping[str, Any], found: Rows) -> Recipe | None:
    """Return the recipe that was live; None: it is neither stored nor shipped by this version."""
    stored = [row["live"] for row in found.dicts() if row["live"] is not None]
    if stored:
        return read_document(stored[0], "The live recipe")
    recipes = [shipped(name).recipe for name in SHIPPED]
    wanted = trial["live_recipe_hash"]
    return next((one for one in recipes if one.content_hash == wanted), None)


def _text(value: Any) -> str:
    if value is None:
        return numbers.NONE
    return numbers.real(value) if isinstance(value, float) else str(value)
