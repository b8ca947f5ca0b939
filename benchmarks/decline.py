"""How often a decline is noticed, and how often one is reported without a change, by simulation.

`python -m benchmarks.decline` draws nights by weekday, where 10 % of the buyers find their purchase
in a list and 4 % among popular items, and asks metrics/decline.py each day, as a night does. Days
are independent apart from the weekday, which real shops' are not: real rates are worse.
"""

import argparse
import datetime as dt

import numpy as np

from gpt4rec_es.metrics.decline import DATES, Night, decline

_FIRST = dt.date(2026, 1, 1)
_PUBLISHED, _POPULAR = 0.10, 0.04
_BY_WEEKDAY = (1, 1, 0.95, 1, 1.05, 0.8, 0.75)
_WEEKEND_BUYERS = 0.6
# A change happens at this day of a series, and has to be noticed within three weeks.
_CHANGED, _WITHIN = 30, 21
_DROPS = (0.1, 0.2, 0.3, 0.5)


def main() -> None:
    """Print alarms a year without a change, and fractions of drops that are noticed."""
    options = _parse()
    random = np.random.default_rng(options.seed)
    for buyers in options.buyers:
        alarms = 0
        for _ in range(options.years):
            said = _said(_nights(random, 365, buyers))
            alarms += int(np.count_nonzero(np.diff(said.astype(int), prepend=0) == 1))
        print(f"{buyers:,} buyers a day")
        print(f"  no change: {alarms / options.years:.2f} alarms a year")
        for drop in _DROPS:
            noticed = _noticed(options, random, buyers, drop)
            print(f"  hit rate falls by {drop:.0%}: noticed in {noticed}")
        both = _noticed(options, random, buyers, 0.5, demand_alone=True)
        print(f"  demand halves, for popular items too: alarm in {both}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decline", description=__doc__)
    parser.add_argument("--buyers", type=int, nargs="+", default=[60, 1000, 20_000])
    parser.add_argument("--years", type=int, default=60, help="simulated years without a change")
    parser.add_argument("--trials", type=int, default=200, help="simulated drops")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _noticed(
    options: argparse.Namespace,
    random: np.random.Generator,
    buyers: int,
    drop: float,
    *,
    demand_alone: bool = False,
) -> str:
    found = 0
    for _ in range(options.trials):
        nights = _nights(random, _CHANGED + _WITHIN, buyers, drop, demand_alone=demand_alone)
        found += bool(_said(nights)[-_WITHIN:].any())
    return f"{found / options.trials:.0%}"


def _nights(
    random: np.random.Generator,
    days: int,
    buyers: int,
    drop: float = 0.0,
    *,
    demand_alone: bool = False,
) -> list[Night]:
    """Return nights whose hit rate falls by ``drop``; demand_alone: that of popular items, too."""
    nights = []
    for day in range(days):
        users = int(random.poisson(buyers * (_WEEKEND_BUYERS if day % 7 > 4 else 1)))
        usual, left = _BY_WEEKDAY[day % 7], 1 - drop if day >= _CHANGED else 1.0
        published = int(random.binomial(users, _PUBLISHED * usual * left))
        popular = int(random.binomial(users, _POPULAR * usual * (left if demand_alone else 1.0)))
        nights.append(Night(_FIRST + dt.timedelta(days=day), users, published, popular))
    return nights


def _said(nights: list[Night]) -> np.ndarray:
    """Return for each day whether the nights up to it are called a decline."""
    found = [decline(nights[max(0, end - DATES) : end]) for end in range(1, len(nights) + 1)]
    return np.array([one is not None and one.is_declined for one in found])


if __name__ == "__main__":
    main()
