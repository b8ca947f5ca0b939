"""Histories as batches of like length, in random order."""

from collections.abc import Iterator, Sequence

import numpy as np

# Batches per chunk of shuffled rows, which is ordered by length: less padding.
_SORTED_BATCHES = 16


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
