"""SVG heat map of a metric over k1 and b.

Drawn from measured points only, so it can be drawn again from stored ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gpt4rec_es import svg
from gpt4rec_es.records import Bm25

# Cividis: readable with colour vision deficiency, and in greyscale.
_COLOURS = (
    (0, 34, 78),
    (18, 53, 112),
    (59, 73, 108),
    (87, 93, 109),
    (112, 113, 115),
    (138, 134, 120),
    (165, 156, 116),
    (195, 179, 105),
    (225, 204, 85),
    (254, 232, 56),
)
_WIDTH, _HEIGHT = 860, 544
_LEFT, _TOP, _PLOT_W, _PLOT_H = 80, 86, 560, 360
_BAR_X, _BAR_W = 676, 18
_TICKS = 6


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Content of a heat map.

    values: by point, such as a mean recall. marks: points to mark, in the order of the legend;
    label: name of the values.
    """

    title: str
    subtitle: str
    label: str
    values: Mapping[Bm25, float]
    marks: Mapping[str, Bm25]


def render_heatmap(found: Heatmap) -> str:
    """Return an SVG: k1 to the right, b upwards, each cell in the colour of its nearest point."""
    frame = _Frame.of(list(found.values))
    low, high = min(found.values.values()), max(found.values.values())
    parts = [
        _text(_LEFT, 30, found.title, size=17, weight="bold"),
        _text(_LEFT, 54, found.subtitle),
        *_cells(frame, found.values, low, high),
        *_dots(frame, found.values),
        *_axes(frame),
        *_bar(found.label, low, high),
        *_marks(frame, found),
    ]
    return svg.picture(_WIDTH, _HEIGHT, 13, parts)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The shown range of k1 and b, and its mapping to SVG coordinates."""

    k1: tuple[float, float]
    b: tuple[float, float]

    @classmethod
    def of(cls, points: Sequence[Bm25]) -> "_Frame":
        return cls(
            _span([point.k1 for point in points], 0.1), _span([point.b for point in points], 0.05)
        )

    def x(self, k1: float) -> float:
        low, high = self.k1
        return _LEFT + _PLOT_W * (k1 - low) / (high - low)

    def y(self, b: float) -> float:
        low, high = self.b
        return _TOP + _PLOT_H * (high - b) / (high - low)


def _span(values: list[float], margin: float) -> tuple[float, float]:
    """Return the limits of an axis, half a step beyond the outermost values."""
    return min(values) - margin, max(values) + margin


def _edges(values: set[float], ends: tuple[float, float]) -> list[tuple[float, float]]:
    """Return the interval of each value on the axis, in order."""
    ordered = sorted(values)
    middles = [(one + other) / 2 for one, other in pairwise(ordered)]
    return list(pairwise([ends[0], *middles, ends[1]]))


def _cells(frame: _Frame, values: Mapping[Bm25, float], low: float, high: float) -> list[str]:
    cells = []
    k1s, bs = {point.k1 for point in values}, {point.b for point in values}
    for k1, (left, right) in zip(sorted(k1s), _edges(k1s, frame.k1), strict=True):
        for b, (bottom, top) in zip(sorted(bs), _edges(bs, frame.b), strict=True):
            colour = _colour(values[_nearest(frame, values, k1, b)], low, high)
            x, y = frame.x(left), frame.y(top)
            # Slightly larger, so that no white line shows between two cells.
            width, height = frame.x(right) - x + 0.5, frame.y(bottom) - y + 0.5
            cells.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
                f'fill="{colour}"/>'
            )
    return cells


def _nearest(frame: _Frame, values: Mapping[Bm25, float], k1: float, b: float) -> Bm25:
    x, y = frame.x(k1), frame.y(b)
    return min(values, key=lambda p: (frame.x(p.k1) - x) ** 2 + (frame.y(p.b) - y) ** 2)


def _dots(frame: _Frame, values: Mapping[Bm25, float]) -> list[str]:
    """Return a dot with a tooltip for each measured point."""
    return [
        f'<circle cx="{frame.x(point.k1):.1f}" cy="{frame.y(point.b):.1f}" r="1.6" fill="white" '
        f'stroke="black" stroke-width="0.5"><title>k1 {point.k1:g}, b {point.b:g}: {value:.4f}'
        "</title></circle>"
        for point, value in values.items()
    ]


def _axes(frame: _Frame) -> list[str]:
    bottom = _TOP + _PLOT_H
    parts = [
        (
            f'<rect x="{_LEFT}" y="{_TOP}" width="{_PLOT_W}" height="{_PLOT_H}" fill="none" '
            'stroke="black"/>'
        ),
        _text(
            _LEFT + _PLOT_W / 2, bottom + 44, "k1 (how soon repeated terms stop to count)", "middle"
        ),
        f'<g transform="translate(24 {_TOP + _PLOT_H / 2}) rotate(-90)">'
        + _text(0, 0, "b (how much long titles are marked down)", "middle")
        + "</g>",
    ]
    for value in _ticks(frame.k1):
        x = frame.x(value)
        parts += [_line(x, bottom, x, bottom + 5), _text(x, bottom + 20, f"{value:g}", "middle")]
    for value in _ticks(frame.b):
        y = frame.y(value)
        parts += [_line(_LEFT - 5, y, _LEFT, y), _text(_LEFT - 9, y + 4, f"{value:g}", "end")]
    return parts


def _ticks(ends: tuple[float, float]) -> list[float]:
    """Return about six round values between the limits."""
    rough = (ends[1] - ends[0]) / _TICKS
    step = next(
        step
        for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 50, 100, 500)
        if step >= rough
    )
    first = int(ends[0] / step)
    values = [round(step * number, 6) for number in range(first, first + 3 * _TICKS)]
    return [value for value in values if max(ends[0], 0) <= value <= ends[1]]


def _bar(label: str, low: float, high: float) -> list[str]:
    """Return the colour bar with labels at its ends and middle."""
    steps = 60
    height = _PLOT_H / steps
    parts = [
        f'<rect x="{_BAR_X}" y="{_TOP + _PLOT_H - height * (step + 1):.1f}" width="{_BAR_W}" '
        f'height="{height + 0.5:.1f}" fill="{_colour(step, 0, steps - 1)}"/>'
        for step in range(steps)
    ]
    for fraction in (0.0, 0.5, 1.0):
        y = _TOP + _PLOT_H * (1 - fraction)
        parts.append(_text(_BAR_X + _BAR_W + 6, y + 4, f"{low + fraction * (high - low):.4f}"))
    return [*parts, _text(_BAR_X, _TOP - 10, label)]


def _marks(frame: _Frame, found: Heatmap) -> list[str]:
    """Return the marked points, each with a different shape, and the legend below."""
    shapes = (
        "M0 -10 L2.6 -3.4 L9.6 -3 L4.2 1.4 L6 8.2 L0 4.4 L-6 8.2 L-4.2 1.4 L-9.6 -3 L-2.6 -3.4 Z",
        "M-7 -7 L7 -7 L7 7 L-7 7 Z",
        "M0 -8 L8 6 L-8 6 Z",
    )
    parts = []
    step = (_WIDTH - _LEFT) / max(len(found.marks), 1)
    for place, (name, point) in enumerate(found.marks.items()):
        shape = shapes[place % len(shapes)]
        drawn = f'<path d="{shape}" fill="none" stroke="white" stroke-width="4.5"/>'
        drawn += f'<path d="{shape}" fill="none" stroke="black" stroke-width="2"/>'
        for x, y in (
            (frame.x(point.k1), frame.y(point.b)),
            (_LEFT + 10 + step * place, _HEIGHT - 18),
        ):
            parts.append(f'<g transform="translate({x:.1f} {y:.1f})">{drawn}</g>')
        value = f": {found.values[point]:.4f}" if point in found.values else ""
        legend = f"{name} ({point.k1:g}, {point.b:g}){value}"
        parts.append(_text(_LEFT + 26 + step * place, _HEIGHT - 13, legend))
    return parts


def _colour(value: float, low: float, high: float) -> str:
    fraction = 0.5 if high <= low else (value - low) / (high - low)
    place = fraction * (len(_COLOURS) - 1)
    first = min(int(place), len(_COLOURS) - 2)
    rest = place - first
    mixed = (
        round(one + (other - one) * rest)
        for one, other in zip(_COLOURS[first], _COLOURS[first + 1], strict=True)
    )
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _text(
    x: float, y: float, content: str, anchor: str = "", *, size: int = 13, weight: str = "normal"
) -> str:
    return svg.text(x, y, content, anchor, size=size, weight=weight)


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="black"/>'
