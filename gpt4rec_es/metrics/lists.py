"""Recommended lists as an array, the input of all metrics."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.errors import UsageError

# Item numbers as [users, k], best first; -1 after the end of a short list.
Lists = NDArray[np.int64]
# One value per user; NaN if a metric is undefined for a user.
PerUser = NDArray[np.float64]
NOTHING = -1


def as_lists(lists: Sequence[Sequence[int]], k: int) -> Lists:
    """Return ``lists`` as an array ``k`` wide.

    Raises:
        UsageError: ``k`` is below 1, or a list is longer (a list for k = 5 is no prefix of a list
        for k = 40) or contains an item twice.
    """
    if k < 1:
        raise UsageError(f"k is {k}.", "Measure lists of at least 1 item.")
    array = np.full((len(lists), k), NOTHING, np.int64)
    for row, items in enumerate(lists):
        if len(items) > k:
            raise UsageError(f"A list has {len(items)} items, more than {k}.", f"Make it for {k}.")
        if len(set(items)) < len(items):
            raise UsageError(f"List {row} holds an item twice: {list(items)}.")
        array[row, : len(items)] = items
    return array


def list_length(lists: Lists) -> PerUser:
    """Return the number of items of each list."""
    lengths: PerUser = (lists != NOTHING).sum(axis=1).astype(np.float64)
    return lengths


def is_empty(lists: Lists) -> PerUser:
    """Return 1 for lists without items, 0 for others; the mean is the fraction of empty lists."""
    empty: PerUser = (list_length(lists) == 0).astype(np.float64)
    return empty
