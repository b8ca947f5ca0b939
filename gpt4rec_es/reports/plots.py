"""Charts with axes: matplotlib draws them as SVG, which becomes a part of a page.

Colours are variables of the page's style, so a chart is dark on a dark screen, and its font is the
page's. Equal data make equal bytes: a fixed salt for identifiers, and neither date nor version.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup, escape

from gpt4rec_es.reports import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches of 72 units; texts of 9 units can be read where the chart is 17 rem wide.
_SIZE = (3.6, 2.7)
# What matplotlib draws with -> variable of style.css.
_INK, _GRID, _LINE, _AREA, _SECOND, _MARK = (f"#{n:06x}" for n in range(0xABCDE0, 0xABCDE6))
_VARIABLES = {
    _INK: "soft",
    _GRID: "line",
    _LINE: "bar",
    _AREA: "wash",
    _SECOND: "second",
    _MARK: "accent",
}
_STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    # Or the two zeros of the corner would meet.
    "xtick.major.pad": 7,
    "ytick.major.pad": 6,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "svg.fonttype": "none",
}


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a place of the x axis; its interval, if any, and what a reader sees on hover."""

    x: float
    y: float
    says: str
    low: float | None = None
    high: float | None = None


def concentration(groups: Sequence[tuple[int, int]], offered: int) -> Markup:
    """Return the curve of cumulative shares; "": nothing was recommended.

    groups: (items, recommendations), the most recommended first. x: share of the ``offered`` items,
    y: share of all recommendations that they have.
    """
    whole = sum(given for _, given in groups)
    if not whole:
        return Markup()
    places = [Point(0, 0, "")]
    items = given = 0
    for n, more in groups:
        items, given = items + n, given + more
        x, y = items / max(offered, items), given / whole
        says = f"{numbers.share(x, 1)} of the items: {numbers.share(y, 1)} of the recommendations"
        places.append(Point(x, y, says))
    if items < offered:
        places.append(Point(1, 1, f"the other {numbers.plural(offered - items, 'item')}: none"))

    def draw(axes: "Axes") -> None:
        xs, ys = [one.x for one in places], [one.y for one in places]
        axes.fill_between(xs, ys, color=_AREA, linewidth=0)
        axes.plot([0, 1], [0, 1], linestyle=(0, (2, 3)), linewidth=1, color=_INK)
        axes.plot(xs, ys, color=_LINE)
        _dots(axes, places[1:], _LINE, "o", size=3)
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="share of the offered items")
        _in_percent(axes, "x", "y")

    says = "Share of recommendations by share of offered items; the table has the numbers"
    return _svg("concentration", says, draw)


def quality(nights: Sequence[str], rates: Sequence[Point], popular: Sequence[Point]) -> Markup:
    """Return hit rates with intervals, and those of popular items; "": of fewer than two nights.

    nights: dates by place of the x axis, from 0.
    """
    if len(nights) < 2:
        return Markup()

    def draw(axes: "Axes") -> None:
        for points, colour, marker, dash in (
            (rates, _LINE, "o", "-"),
            (popular, _SECOND, "s", (0, (3, 2))),
        ):
            axes.plot([p.x for p in points], [p.y for p in points], color=colour, linestyle=dash)
            for p in points:
                if p.low is not None and p.high is not None:
                    axes.plot([p.x, p.x], [p.low, p.high], color=colour, linewidth=1)
            _dots(axes, points, colour, marker)
        shown = range(0, len(nights), -(-len(nights) // 4))
        axes.set(ylim=(0, None), xlim=(-0.4, len(nights) - 0.6), xlabel="night")
        axes.set_xticks(list(shown), [nights[place][5:] for place in shown])
        _in_percent(axes, "y")

    return _svg("quality", "Hit rate by night, with intervals; the table has the numbers", draw)


def tried(name: str, metric: str, points: Sequence[Point]) -> Markup:
    """Return the values of tried settings by one option, the last point marked as the best.

    "": the option had one value.
    """
    if len({point.x for point in points}) < 2:
        return Markup()

    def draw(axes: "Axes") -> None:
        _dots(axes, points[:-1], _LINE, "o")
        _dots(axes, points[-1:], _SECOND, "D", size=6)
        axes.set(xlabel=name, ylabel=metric)
        axes.locator_params(nbins=5)

    return _svg(name, f"{metric} by {name} of each setting; the table has the numbers", draw)


def _dots(
    axes: "Axes", points: Sequence[Point], colour: str, marker: str, size: float = 4.5
) -> None:
    """Draw each point as an element of its own, which says its numbers on hover."""
    for p in points:
        (dot,) = axes.plot([p.x], [p.y], marker, markersize=size, color=colour)
        dot.set_gid(f"says{p.says.encode().hex()}")


def _in_percent(axes: "Axes", *names: Literal["x", "y"]) -> None:
    for name in names:
        axis = axes.xaxis if name == "x" else axes.yaxis
        axis.set_major_formatter(lambda value, _: f"{100 * value:g}{numbers.NARROW}%")
        axes.locator_params(axis=name, nbins=5)


def _svg(key: str, says: str, draw: Callable[["Axes"], None]) -> Markup:
    """Return the chart that ``draw`` fills; ``key``: unique in its page; ``says``: its label."""
    # It takes a second and 45 MB to import, which only a page with such a chart needs.
    from matplotlib import rc_context, rcdefaults, rcParams  # noqa: PLC0415
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context():
        rcdefaults()  # a user's own style is none of the page's
        rcParams.update({**_STYLE, "svg.hashsalt": key})
        figure = Figure(figsize=_SIZE, layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.subplots()
        axes.patch.set_visible(False)
        draw(axes)
        file = io.StringIO()
        unknown = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(file, metadata=unknown)
    return _inline(file.getvalue(), says)


def _title(found: re.Match[str]) -> str:
    return f"<g><title>{escape(bytes.fromhex(found[1]).decode())}</title>"


def _inline(svg: str, says: str) -> Markup:
    """Return what matplotlib wrote as an element of a page."""
    # The first definition is a style that would hold for the whole page, and groups have equal
    # names in each chart.
    inside = re.sub(r"\s*\n\s*", " ", svg.partition("</defs>")[2])
    inside = re.sub(r'<g id="says([0-9a-f]*)">', _title, inside)
    inside = re.sub(r'<g id="[^"]*">', "<g>", inside)
    inside = re.sub(r" font-family: [^;]*;", "", inside)
    for colour, variable in _VARIABLES.items():
        inside = inside.replace(colour, f"var(--{variable})")
    size = " ".join(f"{72 * side:g}" for side in _SIZE)
    return Markup(  # noqa: S704 - numbers and our texts, which matplotlib escaped
        f'<svg class="plot" viewBox="0 0 {size}" role="img" aria-label="{escape(says)}">{inside}'
    )
