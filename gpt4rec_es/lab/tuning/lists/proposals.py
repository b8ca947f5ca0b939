"""Settings to try next, by what was measured so far."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gpt4rec_es.lab.tuning.lists.space import Setting, Space


@dataclass(frozen=True, slots=True)
class Tried:
    """A setting with the mean of the metric.

    is_fitted: coefficients were fitted to this shop. has: what joined, see joining.py.
    """

    setting: Setting
    is_fitted: bool
    value: float
    has: frozenset[str] = frozenset()


def proposals(space: Space, tried: Sequence[Tried], trials: int, seed: int) -> Iterator[Setting]:
    """Yield distinct settings to try; the caller appends each to ``tried`` before the next.

    That of the base, drawn ones until a third of ``trials``, then a random untried step from the
    best so far; from the second best when all of these are tried, and so on.
    """
    chance = np.random.default_rng(seed + 1)
    yield space.base
    for _ in range(100 * trials):  # draws repeat in a small space
        if len(tried) >= max(1, trials // 3):
            break
        if (drawn := space.draw(chance)) not in {one.setting for one in tried}:
            yield drawn
    while len(tried) < trials:
        known = {one.setting for one in tried}
        ranked = sorted(tried, key=lambda one: -round(one.value, 9))
        steps = (step for one in ranked for step in space.steps(one.setting, chance))
        following = next((step for step in steps if step not in known), None)
        if following is None:
            return
        yield following


def best_of(tried: Sequence[Tried]) -> Tried:
    """Return the first of the highest values; rounded, so that the last digits decide nothing."""
    return max(tried, key=lambda one: round(one.value, 9))
