"""Figures of lists compared with later purchases, from counts of users with equal numbers.

Users are the random sample. A resample of users is a multinomial draw of the counts, so the cost
does not depend on the number of users.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gpt4rec_es.tallies import Figure, Tally

METHODS = ("published", "popularity", "newest_title")

_RESAMPLES = 2000
_TAILS = (0.025, 0.975)
# Number of counts of resamples in memory at once.
_BATCH = 1 << 22

Values = NDArray[np.float64]


def figures(tallies: Sequence[Tally], *, seed: int) -> list[Figure]:
    """Return one figure per method, on the users whose list by the method is known.

    Intervals: exact (Clopper and Pearson) for hit rates, percentile bootstrap over users for the
    recall and for the gain, which is paired by user.
    """
    return [_figure(method, tallies, seed) for method in METHODS]


def _figure(method: str, tallies: Sequence[Tally], seed: int) -> Figure:
    known = [one for one in tallies if getattr(one, method) is not None]
    users = np.array([one.n_users for one in known], np.int64)
    hits = np.array([getattr(one, method) for one in known], np.float64)
    total, hit_users = int(users.sum()), int(users[hits > 0].sum())
    if not total:
        return Figure(method, 0, 0, 0)
    recalls = hits / np.array([one.n_bought for one in known])
    own = np.array([one.published > 0 for one in known], np.float64)
    low, high = exact_interval(hit_users, total)
    recall, recall_low, recall_high = _mean(recalls, users, seed)
    is_other = method != METHODS[0]
    gain = _mean(own - (hits > 0), users, seed) if is_other else (None, None, None)
    return Figure(
        method,
        total,
        hit_users,
        int(users @ hits),
        low,
        high,
        recall,
        recall_low,
        recall_high,
        *gain,
    )


def exact_interval(hits: int, users: int) -> tuple[float, float]:
    """Return the 95 % interval of Clopper and Pearson (1934) for a fraction of ``users`` > 0."""
    low = stats.beta.ppf(_TAILS[0], hits, users - hits + 1) if hits else 0.0
    high = stats.beta.ppf(_TAILS[1], hits + 1, users - hits) if hits < users else 1.0
    return float(low), float(high)


def _mean(values: Values, users: NDArray[np.int64], seed: int) -> tuple[float, float, float]:
    """Return the mean and its bootstrap interval; ``users``: how many have each value."""
    total = int(users.sum())
    mean = float(users @ values / total)
    # Equal values in one cell: fewer cells are faster to draw, and draws do not depend on others.
    cells, place = np.unique(values, return_inverse=True)
    counts = np.bincount(place, weights=users)
    if len(cells) == 1:
        return mean, mean, mean
    chance = np.random.default_rng(seed)
    means = np.empty(_RESAMPLES)
    step = max(1, _BATCH // len(cells))
    for first in range(0, _RESAMPLES, step):
        drawn = chance.multinomial(total, counts / total, min(step, _RESAMPLES - first))
        means[first : first + step] = drawn @ cells / total
    low, high = np.quantile(means, _TAILS)
    return mean, float(low), float(high)
