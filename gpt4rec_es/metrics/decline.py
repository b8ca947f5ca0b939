"""Whether lists became worse: nights paired with those of a week before, never one noisy day.

Demand differs by weekday, so a night is compared with that of the same weekday before. The seven
newest pairs are a decline if hit rates fell by more than chance (paired t-test over nights), most
of the nights fell, and so did the ratio to hit rates of popular items on the same users, which
stays where demand alone changes.
"""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

PAIRS = 7
# Minimum number of them that must be worse: fewer days, however bad, are no decline.
MOST_PAIRS = 5
# One-sided p-values of the hit rate, and of its ratio to that of popular items, which is noisier.
_LEVEL, _RATIO_LEVEL = 0.01, 0.05
_WEEK = dt.timedelta(days=7)
# Newest dates that pairs are looked for in, so that a few dates without a night do no harm, and all
# dates that are needed for them.
_NEWEST = 10
DATES = _NEWEST + 7
# With fewer users, a hit rate is mostly chance.
MIN_USERS = 30


@dataclass(frozen=True, slots=True)
class Night:
    """One night's users that bought something new, and those of them that found it in a list."""

    date: dt.date
    users: int
    published: int
    popularity: int

    @property
    def hit_rate(self) -> float:
        """Fraction of the users that found it in the published list."""
        return self.published / self.users

    @property
    def log_ratio(self) -> float:
        """Logarithm of the ratio to popular items; if one is 0, half a user is added to both."""
        more = 0.0 if self.published and self.popularity else 0.5
        return math.log((self.published + more) / (self.popularity + more))


@dataclass(frozen=True, slots=True)
class Decline:
    """The newest nights and those a week before them.

    worse: number of the pairs whose later night has the lower hit rate. hit_rate, before: means
    over the nights of the pairs. p_value: of the mean difference of hit rates; ratio_p_value: of
    that of their ratios to popular items; None: fewer than ``PAIRS`` pairs.
    """

    pairs: int
    worse: int
    hit_rate: float
    before: float
    p_value: float | None = None
    ratio_p_value: float | None = None

    @property
    def is_declined(self) -> bool:
        """Whether enough nights are worse, by more than chance and than popular items are."""
        if self.p_value is None or self.ratio_p_value is None or self.worse < MOST_PAIRS:
            return False
        return self.p_value < _LEVEL and self.ratio_p_value < _RATIO_LEVEL


def decline(nights: Sequence[Night]) -> Decline | None:
    """Return how the newest nights compare with those a week before; None: there is no pair.

    nights: at most one per date, in any order; those with fewer than ``MIN_USERS`` users are left
    out.
    """
    usable = {night.date: night for night in nights if night.users >= MIN_USERS}
    if not usable:
        return None
    newest = max(usable)
    dates = [newest - dt.timedelta(days=n) for n in range(_NEWEST)]
    pairs = [
        (usable[date], usable[date - _WEEK])
        for date in dates
        if date in usable and date - _WEEK in usable
    ][:PAIRS]
    if not pairs:
        return None
    found = Decline(
        len(pairs),
        sum(now.hit_rate < old.hit_rate for now, old in pairs),
        sum(now.hit_rate for now, _ in pairs) / len(pairs),
        sum(old.hit_rate for _, old in pairs) / len(pairs),
    )
    if len(pairs) < PAIRS:
        return found
    return Decline(
        found.pairs,
        found.worse,
        found.hit_rate,
        found.before,
        _p_value([now.hit_rate - old.hit_rate for now, old in pairs]),
        _p_value([now.log_ratio - old.log_ratio for now, old in pairs]),
    )


def _p_value(differences: Sequence[float]) -> float:
    """Return the one-sided p-value of a mean below 0 by the t-test; 1: no difference at all."""
    values = np.asarray(differences)
    if np.ptp(values) == 0:  # the test is undefined: equal differences are no chance
        return 0.0 if values[0] < 0 else 1.0
    return float(stats.ttest_1samp(values, 0, alternative="less").pvalue)
