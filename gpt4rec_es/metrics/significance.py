"""Intervals and tests for differences of means over the same users.

Users are the random sample, so values are always paired by user.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gpt4rec_es.errors import UsageError
from gpt4rec_es.metrics.lists import PerUser

# Number of values of resamples in memory at once.
_BATCH = 1 << 22


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over users with its interval; ``n``: number of users with a value."""

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
    """Return ``bootstrap_interval`` of several metrics of the same users, from the same resamples.

    Percentile bootstrap over users. None: no user has a value.
    """
    values = np.stack(metrics, axis=1)
    has_value = ~np.isnan(values)
    filled = np.where(has_value, values, 0.0)
    # Metrics with a value for all users share one divisor, the number of users.
    partial = np.flatnonzero(~has_value.all(axis=0))
    means = np.empty((resamples, len(metrics)))
    chance = np.random.default_rng(seed)
    step = max(1, _BATCH // len(values))
    for first in range(0, resamples, step):
        counts = _draw(chance, min(step, resamples - first), len(values))
        sums = counts @ filled
        users = np.full_like(sums, len(values))
        users[:, partial] = counts @ has_value[:, partial].astype(np.float64)
        # A resample without any user with a value is skipped.
        none = np.full_like(sums, np.nan)
        means[first : first + step] = np.divide(sums, users, out=none, where=users > 0)
    tails = [(1 - level) / 2, (1 + level) / 2]
    return [
        _interval(filled[has_value[:, place], place], means[:, place], tails)
        for place in range(len(metrics))
    ]


def _draw(chance: np.random.Generator, draws: int, users: int) -> NDArray[np.float64]:
    """Return [draws, users]: how often each user is drawn in a resample of all users."""
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
    """Return the two-sided p-value of the null hypothesis that paired ``differences`` have mean 0.

    Sign-flip permutation test over users. NaN values are left out.
    """
    # Differences of 0 change no flipped sum, and in rankings most are 0.
    moved = differences[(differences != 0) & ~np.isnan(differences)]
    # Either sign of a single difference is as extreme as the other.
    if len(moved) < 2:
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
    """Return the p-values adjusted for multiple comparisons, in their order (Holm 1979)."""
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
    """Return one-sided p-values of candidates against a reference, [candidates].

    differences: [candidates, users]. Each candidate is compared with the maximum over all
    candidates under sign flips (Westfall and Young's single-step maximum).
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
        # Tolerance: the order of summation changes rounding.
        reached += (best[None, :] >= means[:, None] - 1e-12).sum(axis=1)
    return (reached + 1) / (resamples + 1)
