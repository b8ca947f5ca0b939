"""Geometry of charts: coordinates for the SVG of templates, without text or colour."""

from collections.abc import Sequence
from dataclasses import dataclass

SPARK_WIDTH, SPARK_HEIGHT = 104, 26
_EDGE = 3


@dataclass(frozen=True, slots=True)
class Spark:
    """A line of values in time; ``values``: those it shows, oldest first.

    points: "x,y" pairs of the line; area: the same down to the baseline; last_x, last_y: its end.
    """

    values: tuple[float, ...]
    points: str
    area: str
    last_x: float
    last_y: float


def spark(values: Sequence[float]) -> Spark:
    """Return the line of ``values``, at least one, from 0 to their maximum."""
    top = max(*values, 0) or 1
    step = (SPARK_WIDTH - 2 * _EDGE) / max(len(values) - 1, 1)
    # One value is a point at the right, where the newest of several is.
    first = SPARK_WIDTH - _EDGE - step * (len(values) - 1)
    height = SPARK_HEIGHT - 2 * _EDGE
    places = [
        (round(first + step * place, 1), round(_EDGE + height * (1 - value / top), 1))
        for place, value in enumerate(values)
    ]
    points = " ".join(f"{x:g},{y:g}" for x, y in places)
    base = SPARK_HEIGHT - _EDGE
    area = f"{places[0][0]:g},{base} {points} {places[-1][0]:g},{base}"
    return Spark(tuple(values), points, area, *places[-1])


@dataclass(frozen=True, slots=True)
class Span:
    """A mean with its interval on a line as wide as a spark; zero: where 0 is, None: outside."""

    left: float
    right: float
    middle: float
    zero: float | None


def span(mean: float, low: float, high: float, least: float, most: float) -> Span:
    """Return where an interval is between ``least`` and ``most``."""
    scale = (SPARK_WIDTH - 2 * _EDGE) / ((most - least) or 1)

    def place(value: float) -> float:
        return round(_EDGE + scale * (value - least), 1)

    return Span(place(low), place(high), place(mean), place(0) if least <= 0 <= most else None)


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One cell of a heat map: text, and its place from the lowest (0) to the highest value (1)."""

    text: str
    level: float
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One row of a heat map."""

    name: str
    cells: list[HeatCell]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A grid of values, each as a number on its colour: the map is its own table."""

    caption: str
    columns: list[str]
    rows: list[HeatRow]
    views: tuple[str, ...]
    sql: str
