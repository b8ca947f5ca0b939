"""Histories as batches of like length, in random order."""

from collections.abc import Iterator, Sequence

import numpy as np

# Batches per chunk of shuffled rows, which is ordered by length: less padding.
_SORTED_BATCHES = 16


def windows(
    histories: Sequence[Sequence[int]],
    most: int,
    shared: int,
    random: np.random.Generator,
    *,
    whole: bool,
) -> list[Sequence[int]]:
    """Return the newest ``most`` items of each history, and with ``whole`` the older ones as well.

    These are cut into windows of at most ``most`` items at places that differ from epoch to epoch,
    so that an item is not always the first of its window. Neighbours have ``shared`` items in
    common.
    """
    found = []
    for history in histories:
        begin = max(0, len(history) - most)
        found.append(history[begin:])
        width = int(random.integers(shared + 1, most + 1)) if whole and begin else most
        while whole and begin:
            end = begin + shared
            begin = max(0, end - width)
            found.append(history[begin:end])
            width = most
    return found


def sorted_batches(
    lengths: Sequence[int], size: int, random: np.random.Generator
) -> Iterator[list[int]]:
    """Yield the numbers of all rows in batches of like length, in random order."""
    spans, order = np.array(lengths), random.permutation(len(lengths))
    chosen: list[list[int]] = []
    for start in range(0, len(order), size * _SORTED_BATCHES):
        chunk = order[start : start + size * _SORTED_BATCHES]
        chunk = chunk[np.argsort(spans[chunk], kind="stable")]
        chosen += [chunk[first : first + size].tolist() for first in range(0, len(chunk), size)]
    for place in random.permutation(len(chosen)):
        yield chosen[place]
