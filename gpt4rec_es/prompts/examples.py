"""Positions of the titles of a history that become training targets; pure.

A training pair is a target title and the titles bought before it. Prompts of pairs are truncated to
the context exactly as prompts of the night (truncate.py).
"""

from collections.abc import Sequence
from typing import Literal

Pairs = Literal["last", "every-prefix"]


def target_positions(n_titles: int, pairs: Pairs, newest: int | None = None) -> range:
    """Return the positions of target titles in a history of ``n_titles``.

    "last": one per user, the last title given all earlier ones, as in the paper. "every-prefix":
    every title but the first. newest: maximum number of targets, the newest ones.
    """
    first = 1 if pairs == "every-prefix" else n_titles - 1
    if newest is not None:
        first = max(first, n_titles - newest)
    return range(max(first, 1), n_titles)


def windows(counts: Sequence[int], room: int, max_titles: int) -> list[tuple[int, int]]:
    """Cut a whole history into consecutive windows for causal pre-training.

    counts: tokens of each title. Returns (first title, target) positions: titles first..target-1
    fill a prompt of at most ``room`` tokens and ``max_titles`` titles. Every title is in exactly
    one window; the last window of a history may have only a target (first == target).
    """
    found = []
    first = 0
    while first < len(counts):
        target, left = first, room
        while target < len(counts) - 1 and target - first < max_titles and counts[target] <= left:
            left -= counts[target]
            target += 1
        found.append((first, target))
        first = target + 1
    return found
