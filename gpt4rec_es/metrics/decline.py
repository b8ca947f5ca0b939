"""Whether lists became worse: nights paired with those of a week before, never one noisy day.

Demand differs by weekday, so a night is compared with that of the same weekday before. It counts as
worse if its hit rate is lower and so is its ratio to that of popular items on the same users, which
falls little when demand alone changes. If all seven newest nights are worse, that is a decline: by
chance alone, this happens to at most one of 2^7 = 128 series of independent nights.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

PAIRS = 7
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

    def is_worse_than(self, other: "Night") -> bool:
        """Return whether the hit rate is lower, and its ratio to that of popular items, too.

        Where popular items were never bought, the hit rate alone decides.
        """
        ratio, other_ratio = self.published * other.popularity, other.published * self.popularity
        knows_ratio = bool(self.popularity or other.popularity)
        return self.hit_rate < other.hit_rate and (ratio < other_ratio or not knows_ratio)


@dataclass(frozen=True, slots=True)
class Decline:
    """The newest nights and those a week before them.

    hit_rate, before: means over the nights of the pairs. worse: number of pairs whose later night
    is worse. is_declined: all of them are.
    """

    pairs: int
    worse: int
    hit_rate: float
    before: float

    @property
    def is_declined(self) -> bool:
        """Whether there are enough pairs and the later night of each is worse."""
        return self.pairs == self.worse == PAIRS


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
    worse = sum(now.is_worse_than(old) for now, old in pairs)
    return Decline(
        len(pairs),
        worse,
        sum(now.hit_rate for now, _ in pairs) / len(pairs),
        sum(old.hit_rate for _, old in pairs) / len(pairs),
    )
