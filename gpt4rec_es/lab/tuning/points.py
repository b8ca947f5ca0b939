"""Which (k1, b) to try: a coarse grid, then a fine one around its best."""

from collections.abc import Iterable, Sequence

from gpt4rec_es.records import Bm25

DEFAULTS = Bm25()
_COARSE_K1 = (0.3, 0.6, 0.9, 1.2, 2.0)
_COARSE_B = (0.3, 0.5, 0.75, 1.0)
# 30 x 11
_FULL_K1 = tuple(round(0.1 * step, 1) for step in range(1, 31))
_FULL_B = tuple(round(0.1 * step, 1) for step in range(11))
# Steps of the fine grid between two neighbours of the coarse one.
_STEPS = 4
_DIGITS = 4


def grid(k1s: Iterable[float], bs: Iterable[float]) -> list[Bm25]:
    """Return all combinations, k1 in the outer loop."""
    several = list(bs)
    return [Bm25(k1, b) for k1 in k1s for b in several]


def coarse_points(live: Bm25) -> list[Bm25]:
    """Return the coarse grid with the defaults and ``live``, each point once."""
    return list(dict.fromkeys([DEFAULTS, live, *grid(_COARSE_K1, _COARSE_B)]))


def full_points(live: Bm25) -> list[Bm25]:
    """Return k1 from 0.1 to 3 and b from 0 to 1 in steps of 0.1, the defaults and ``live``."""
    return list(dict.fromkeys([DEFAULTS, live, *grid(_FULL_K1, _FULL_B)]))


def fine_points(best: Bm25, tried: Sequence[Bm25]) -> list[Bm25]:
    """Return points around ``best``, as far as the values ``tried`` next to it, without these.

    At the edge of what was tried, k1 and b go on by the last distance, within what is allowed.
    """
    k1s = _between(best.k1, sorted({point.k1 for point in tried}), highest=None)
    bs = _between(best.b, sorted({point.b for point in tried}), highest=1.0)
    return [point for point in grid(k1s, bs) if point not in set(tried)]


def _between(value: float, tried: list[float], *, highest: float | None) -> list[float]:
    place = tried.index(value)
    gap_above = tried[place + 1] - value if place + 1 < len(tried) else None
    gap_below = value - tried[place - 1] if place else None
    above = value + (gap_above or gap_below or 0.5)
    below = max(0.0, value - (gap_below or gap_above or 0.5))
    if highest is not None:
        above = min(above, highest)
    steps = range(1, _STEPS + 1)
    found = [value]
    found += [value + (above - value) * step / _STEPS for step in steps]
    found += [value - (value - below) * step / _STEPS for step in steps]
    return sorted({round(one, _DIGITS) for one in found} | {value})
