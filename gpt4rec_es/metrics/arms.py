"""Arms of a holdback: random groups of users, so a difference is an effect of the lists."""

import math
from dataclasses import dataclass

# Quantile of the normal distribution for 95 %, and that for a power of 80 %.
_Z, _POWER = 1.959964, 0.841621
# A difference worth finding, as a part of the arm's own share.
_WORTH = 0.1


@dataclass(frozen=True, slots=True)
class Comparison:
    """Shares of users that bought something new: the recipe's minus an arm's.

    low, high: 95 % interval. is_clear: it excludes 0. needed: users per arm for which a difference
    of a tenth would be found with a power of 80 %; None: nobody bought anything.
    """

    difference: float
    low: float
    high: float
    needed: int | None

    @property
    def is_clear(self) -> bool:
        """Whether the numbers suffice to tell which arm is better."""
        return self.low > 0 or self.high < 0


def compare(buyers: int, users: int, arm_buyers: int, arm_users: int) -> Comparison | None:
    """Return the recipe's share of buyers minus that of an arm; None: one has no users.

    The interval is Newcombe's (1998, method 10), from Wilson's intervals of both shares.
    """
    if not users or not arm_users:
        return None
    share, other = buyers / users, arm_buyers / arm_users
    low, high = _wilson(buyers, users)
    other_low, other_high = _wilson(arm_buyers, arm_users)
    difference = share - other
    needed = None
    if other:
        both = (_Z + _POWER) ** 2 * 2 * other * (1 - other)
        needed = math.ceil(both / (_WORTH * other) ** 2)
    return Comparison(
        difference,
        difference - math.hypot(share - low, other_high - other),
        difference + math.hypot(high - share, other - other_low),
        needed,
    )


def _wilson(hits: int, users: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval (1927) of a share."""
    share, square = hits / users, _Z * _Z
    middle = (share + square / (2 * users)) / (1 + square / users)
    width = _Z * math.sqrt(share * (1 - share) / users + square / (4 * users * users))
    width /= 1 + square / users
    return max(0.0, middle - width), min(1.0, middle + width)
