"""Choose a point (k1, b) of a grid, or recommend to keep the live values.

For titles the metric is nearly constant over the grid, so the best point is often best by chance.
It is therefore tested as the maximum of many candidates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.retriever import MemoryGridSearch
from gpt4rec_es.lab.tuning.measure import Measured, TuningUser, measure_points
from gpt4rec_es.metrics.significance import (
    Interval,
    best_of_test,
    bootstrap_interval,
    holm,
    permutation_test,
)
from gpt4rec_es.protocols import Progress, no_progress
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
    """Return all points (k1, b), k1 in the outer loop."""
    several = list(bs)
    return [Bm25(k1, b) for k1 in k1s for b in several]


def coarse_points(live: Bm25) -> list[Bm25]:
    """Return the coarse grid with the defaults and ``live``, each point once."""
    return list(dict.fromkeys([DEFAULTS, live, *grid(_COARSE_K1, _COARSE_B)]))


def full_points(live: Bm25) -> list[Bm25]:
    """Return k1 from 0.1 to 3 and b from 0 to 1 in steps of 0.1, the defaults and ``live``."""
    return list(dict.fromkeys([DEFAULTS, live, *grid(_FULL_K1, _FULL_B)]))


def fine_points(best: Bm25, tried: Sequence[Bm25]) -> list[Bm25]:
    """Return points around ``best``, between its neighbours in ``tried``, without ``tried``.

    At the edge of ``tried``, k1 and b extend by the last step, within the valid range.
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


Metric = Literal["recall", "ndcg"]
_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class PointComparison:
    """The best point against another one, over the same users.

    gain: mean difference with its interval; slightly biased upwards, because it is a maximum.
    p_value: of the best of that number of points, adjusted for several comparisons.
    """

    name: str
    point: Bm25
    gain: Interval
    p_value: float

    @property
    def is_significant(self) -> bool:
        """Whether the gain is significant for the best point of a grid of this size."""
        return self.p_value < _LEVEL


@dataclass(frozen=True, slots=True)
class Choice:
    """Result of tuning. recommended: the point to use; ``best`` only if significantly better."""

    metric: Metric
    measured: Measured
    best: Bm25
    comparisons: tuple[PointComparison, ...]
    recommended: Bm25
    verdict: str


def tune(
    eval_users: Sequence[TuningUser],
    search: MemoryGridSearch,
    k: int,
    live: Bm25,
    *,
    metric: Metric = "ndcg",
    points: Sequence[Bm25] = (),
    seed: int = 0,
    progress: Progress = no_progress,
) -> Choice:
    """Return the choice among ``points``; without any, from a coarse and then a fine grid.

    The defaults and ``live`` are always among the points.

    Raises:
        UsageError: there are no users, or one has no target.
    """
    if points:
        points = list(dict.fromkeys([DEFAULTS, live, *points]))
        measured = measure_points(eval_users, points, search, k, progress)
    else:
        measured = measure_points(eval_users, coarse_points(live), search, k, progress)
        fine = fine_points(best_point(measured, metric), measured.points)
        measured = measured.joined(measure_points(eval_users, fine, search, k, progress))
    return choose(measured, live, metric=metric, seed=seed)


def choose(measured: Measured, live: Bm25, *, metric: Metric = "ndcg", seed: int = 0) -> Choice:
    """Return the best point, its comparisons with the defaults and ``live``, and the verdict.

    Raises:
        UsageError: the defaults or ``live`` were not measured.
    """
    values = values_of(measured, metric)
    best = best_point(measured, metric)
    references = (
        {"defaults": DEFAULTS} if live == DEFAULTS else {"defaults": DEFAULTS, "live": live}
    )
    if missing := set(references.values()) - set(measured.points):
        raise UsageError(f"{_text(missing.pop())} was not measured.", "Add it to the points.")
    place = measured.points.index(best)
    comparisons = []
    for name, point in references.items():
        differences = values - values[measured.points.index(point)]
        gain = bootstrap_interval(differences[place], seed=seed)
        p_value = float(best_of_test(differences, seed=seed)[place])
        comparisons.append(PointComparison(name, point, gain, p_value))
    tested = [comparison.p_value for comparison in comparisons]
    if live != DEFAULTS:
        # A question of its own: the best point may be better than live, and the defaults not.
        step_back = values[measured.points.index(DEFAULTS)] - values[measured.points.index(live)]
        tested.append(permutation_test(step_back, seed=seed))
    adjusted = holm(tested)
    comparisons = [replace(c, p_value=p) for c, p in zip(comparisons, adjusted, strict=False)]
    defaults_win = live != DEFAULTS and step_back.mean() > 0 and adjusted[-1] < _LEVEL
    recommended, verdict = _decide(best, live, comparisons, defaults_win=defaults_win)
    return Choice(metric, measured, best, tuple(comparisons), recommended, verdict)


def values_of(measured: Measured, metric: Metric) -> NDArray[np.float64]:
    """Return the values of ``metric`` as [points, users]."""
    return measured.recall if metric == "recall" else measured.ndcg


def best_point(measured: Measured, metric: Metric) -> Bm25:
    """Return the point with the highest mean; ties: the nearest to the defaults."""
    means = values_of(measured, metric).mean(axis=1)
    # Round: the order of summation changes the last digits, which must not decide.
    highest = means.max() - 1e-12
    candidates = [p for p, mean in zip(measured.points, means, strict=True) if mean >= highest]
    return min(candidates, key=_distance)


def _decide(
    best: Bm25, live: Bm25, comparisons: Sequence[PointComparison], *, defaults_win: bool
) -> tuple[Bm25, str]:
    """Return the recommended point and why. defaults_win: they are better than live."""
    beaten = {c.name for c in comparisons if c.is_significant}
    shown = _text(best)
    if len(beaten) == len(comparisons):
        against = " and ".join(c.name for c in comparisons)
        return best, f"Use {shown}: better than {against} by more than chance."
    if defaults_win:
        return (
            DEFAULTS,
            (
                f"Go back to the defaults, {_text(DEFAULTS)}: better than live by more than "
                f"chance, and {shown} is not better than the defaults."
            ),
        )
    if live == DEFAULTS:
        return (
            DEFAULTS,
            f"Keep the defaults, {_text(live)}: no point is better by more than chance.",
        )
    if "live" in beaten:
        return live, (
            f"Keep what is live, {_text(live)}: {shown} is better by more than chance, but not "
            "better than the defaults, and the defaults are not better than live."
        )
    return live, f"Keep what is live, {_text(live)}: no point is better by more than chance."


def _distance(point: Bm25) -> tuple[float, float, float]:
    away = abs(point.k1 - DEFAULTS.k1) + abs(point.b - DEFAULTS.b)
    return (away, point.k1, point.b)


def _text(point: Bm25) -> str:
    return f"k1={point.k1:g} b={point.b:g}"
