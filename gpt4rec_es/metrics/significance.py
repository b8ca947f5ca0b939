"""What may be said about differences between means over the same users.

Users, not lists, are what varies by chance here: values are paired by user throughout.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gpt4rec_es.errors import UsageError
from gpt4rec_es.metrics.lists import PerUser

# Resamples in memory at once are this many values.
_BATCH = 1 << 22


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over users with its interval; ``n`` users had a value."""

    mean: float
    low: float
    high: float
    n: int


def bootstrap_interval(
    values: PerUser, *, seed: int, level: float = 0.95, resamples: int = 2000
) -> Interval:
    """Return the mean of ``values`` (differences, for a paired interval) and its interval.

    NaN values are left out.

    Raises:
        UsageError: no user has a value.
    """
    (found,) = bootstrap_intervals([values], seed=seed, level=level, resamples=resamples)
    if found is None:
        raise UsageError("There is no value to average: the metric is undefined for every user.")
    return found


def bootstrap_intervals(
    metrics: Sequence[PerUser], *, seed: int, level: float = 0.95, resamples: int = 2000
) -> list[Interval | None]:
    """Return ``bootstrap_interval`` of several metrics of the same users, from the same draws.

    By the percentiles of means over users drawn with replacement. None: no user has a value.
    """
    values = np.stack(metrics, axis=1)
    has_value = ~np.isnan(values)
    filled = np.where(has_value, values, 0.0)
    # Metrics that all users have share one divisor: it is the number of users.
    partial = np.flatnonzero(~has_value.all(axis=0))
    means = np.empty((resamples, len(metrics)))
    chance = np.random.default_rng(seed)
    step = max(1, _BATCH // len(values))
    for first in range(0, resamples, step):
        counts = _draw(chance, min(step, resamples - first), len(values))
        sums = counts @ filled
        users = np.full_like(sums, len(values))
        users[:, partial] = counts @ has_value[:, partial].astype(np.float64)
        # A draw that meets nobody with a value says nothing.
        none = np.full_like(sums, np.nan)
        means[first : first + step] = np.divide(sums, users, out=none, where=users > 0)
    tails = [(1 - level) / 2, (1 + level) / 2]
    return [
        _interval(filled[has_value[:, place], place], means[:, place], tails)
        for place in range(len(metrics))
    ]


def _draw(chance: np.random.Generator, draws: int, users: int) -> NDArray[np.float64]:
    """Return [draws, users]: how often each user is drawn, of as many as there are."""
    drawn = chance.integers(0, users, (draws, users))
    drawn += np.arange(draws)[:, None] * users
    counts = np.bincount(drawn.reshape(-1), minlength=draws * users)
    return counts.reshape(draws, users).astype(np.float64)


def _interval(
    known: PerUser, means: NDArray[np.float64], tails: Sequence[float]
) -> Interval | None:
    if not len(known):
        return None
    mean = float(known.mean())
    if known.min() == known.max():
        return Interval(mean, mean, mean, len(known))
    low, high = np.nanquantile(means, tails)
    return Interval(mean, float(low), float(high), len(known))


def permutation_test(differences: PerUser, *, seed: int, resamples: int = 9999) -> float:
    """Return the two-sided p-value that the mean of paired ``differences`` is not 0.

    Signs are flipped at random, per user. NaN values are left out.
    """
    # Users without a difference change no flipped sum, and in rankings most have none.
    moved = differences[(differences != 0) & ~np.isnan(differences)]
    if not len(moved):
        return 1.0
    tested = stats.permutation_test(
        (moved,),
        np.sum,
        permutation_type="samples",
        n_resamples=resamples,
        batch=max(1, _BATCH // len(moved)),
        rng=np.random.default_rng(seed),
    )
    return float(tested.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for making all these comparisons, in their order (Holm 1979)."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for step, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - step) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def best_of_test(
    differences: NDArray[np.float64], *, seed: int, resamples: int = 9999
) -> NDArray[np.float64]:
    """Return one-sided p-values that candidates beat a reference, [candidates].

    differences: [candidates, users]. The best of many candidates looks good by chance alone, so
    each is compared with the best that chance finds among all when signs are flipped (Westfall and
    Young's single-step maximum).
    """
    candidates, users = differences.shape
    moved = differences[:, (differences != 0).any(axis=0)]
    means = moved.sum(axis=1) / max(users, 1)
    chance = np.random.default_rng(seed)
    reached = np.zeros(candidates)
    step = max(1, _BATCH // max(moved.shape[1], candidates, 1))
    for first in range(0, resamples, step):
        count = min(step, resamples - first)
        signs = chance.integers(0, 2, (moved.shape[1], count), np.int8) * np.float64(2) - 1
        best = (moved @ signs).max(axis=0) / max(users, 1)
        # Sums of the same numbers in another order are equal up to rounding.
        reached += (best[None, :] >= means[:, None] - 1e-12).sum(axis=1)
    return (reached + 1) / (resamples + 1)
