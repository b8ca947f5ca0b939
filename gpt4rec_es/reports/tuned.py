"""The page of a trial of BM25's k1 and b; that of recipes is in tuned_recipe.py."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.rows import page_lab as rows
from gpt4rec_es.db.rows.readings import Rows, Value, read
from gpt4rec_es.errors import UsageError
from gpt4rec_es.reports import numbers
from gpt4rec_es.reports.charts import HeatCell, HeatMap, HeatRow
from gpt4rec_es.reports.night_figures import Figure
from gpt4rec_es.reports.page import Page, Section, render_page
from gpt4rec_es.reports.tables import Column, table
from gpt4rec_es.reports.tuned_recipe import GAIN, recipe_page

_ROWS = 40
_FEW = 15
# A map with more columns or rows shows those around the best and the live point, evenly chosen.
_SIDE = 20
# Points are stored with fewer digits than the values of a trial.
_CLOSE = 1e-4
_MOVED = (
    Column("query", "Query"),
    Column("title", "Held-out item"),
    Column("before", "Rank before", "count", "a dash: beyond 100"),
    Column("now", "Rank now", "count", "a dash: beyond 100"),
)


def render_trial(engine: Engine, trial_id: int) -> str:
    """Return the page of a trial.

    Raises:
        UsageError: there is no such trial.
    """
    values: dict[str, Value] = {"trial_id": trial_id, "rows": _ROWS, "few": _FEW}
    with engine.connect() as plain:
        connection = plain.execution_options(isolation_level="REPEATABLE READ")
        if trial := read(connection, rows.TRIAL, values).dicts():
            return render_page(_bm25(connection, trial[0], values))
        if trial := read(connection, rows.LIST_TRIAL, values).dicts():
            return render_page(recipe_page(connection, trial[0], values))
    raise UsageError(f"There is no trial {trial_id}.", "`gpt4rec tune list` shows them.")


def _bm25(connection: Connection, trial: Mapping[str, Any], values: dict[str, Value]) -> Page:
    points = read(connection, rows.POINTS, values)
    compared = read(connection, rows.COMPARISONS, values)
    moved = {
        direction: read(connection, rows.MOVED, {**values, "direction": direction})
        for direction in ("gained", "lost")
    }
    name = f"{trial['metric']}@{trial['trial_k']}"
    figures = [
        Figure(key, label, f"{trial[f'{key}_k1']:g}, {trial[f'{key}_b']:g}", "k1, b", "trials")
        for key, label in (("best", "Best"), ("live", "Live"), ("recommended", "Recommended"))
    ]
    return Page(
        f"Trial {trial['trial_id']}: k1 and b",
        f"Tuned on {trial['split_name']}, {trial['trial_part']}, for "
        f"{numbers.plural(trial['trial_user_count'], 'user')}",
        lead=trial["verdict"],
        figures=figures,
        sections=[
            Section(
                "Surface",
                [],
                f"Mean {name} by k1 (to the right) and b (upwards); the darker, the higher. A cell "
                "without a number was not measured and has the colour of the nearest point.",
                _heat(name, points, trial),
            ),
            Section(
                "Best against others, by segment",
                [
                    table(
                        compared,
                        "comparisons",
                        f"Gain in {name}",
                        [
                            Column("segment", "Segment"),
                            Column("reference", "Against"),
                            Column("users", "Users", "count"),
                            *GAIN,
                        ],
                    )
                ],
            ),
            Section(
                "Queries whose held-out item moved most",
                [
                    table(moved["gained"], "gained", "Better rank", _MOVED),
                    table(moved["lost"], "lost", "Worse rank", _MOVED),
                ],
            ),
        ],
        footer="A page of a grid; ranks are those of held-out items among the hits.",
    )


def _heat(name: str, points: Rows, trial: Mapping[str, Any]) -> HeatMap:
    values = {(row["k1"], row["b"]): row["value"] for row in points.dicts()}
    low, high = min(values.values(), default=0), max(values.values(), default=0)
    marked: dict[tuple[float, float], list[str]] = {}
    for mark in ("best", "live"):
        wanted = (trial[f"{mark}_k1"], trial[f"{mark}_b"])
        point = _nearest(values, *wanted)
        is_close = max(abs(point[0] - wanted[0]), abs(point[1] - wanted[1])) < _CLOSE
        marked.setdefault(point, []).append(mark if is_close else f"near {mark}")
    across = _chosen({k1 for k1, _ in values}, {k1 for k1, _ in marked})
    upwards = _chosen({b for _, b in values}, {b for _, b in marked})

    def cell(k1: float, b: float) -> HeatCell:
        point = (k1, b) if (k1, b) in values else _nearest(values, k1, b)
        text = numbers.real(values[point]) if point == (k1, b) else ""
        level = (values[point] - low) / ((high - low) or 1)
        return HeatCell(text, level, tuple(marked.get((k1, b), ())))

    return HeatMap(
        name,
        [f"{k1:g}" for k1 in across],
        [HeatRow(f"{b:g}", [cell(k1, b) for k1 in across]) for b in reversed(upwards)],
        points.views,
        points.sql,
    )


def _nearest(values: Mapping[tuple[float, float], Any], k1: float, b: float) -> tuple[float, float]:
    return min(values, key=lambda point: (abs(point[0] - k1) + abs(point[1] - b), point))


def _chosen(found: set[float], needed: set[float]) -> list[float]:
    """Return at most about ``_SIDE`` of the numbers, evenly chosen, with those that are needed."""
    ordered = sorted(found)
    step = -(-len(ordered) // _SIDE)
    return sorted({*ordered[::step], *ordered[-1:], *needed})
