"""Recall and NDCG for grids, which measure the same users hundreds of times.

trec_eval spends most of its time on being told what to compare; here that is prepared once. Equal
to ``accuracy``, held by a test.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.metrics.lists import NOTHING, Lists, PerUser


class TargetTable:
    """The targets of users, ready for measuring many lists of the same users."""

    def __init__(self, targets: Sequence[Collection[int]], k: int) -> None:
        """Take each user's targets, at least one, for lists ``k`` wide."""
        self._counts = np.array([len(set(items)) for items in targets], np.float64)
        users = np.repeat(np.arange(len(targets)), self._counts.astype(np.int64))
        items = np.array([item for several in targets for item in set(several)], np.int64)
        # One number per (user, item); a list may hold larger item numbers than any target has.
        self._width = int(items.max(initial=0)) + 1
        self._pairs = np.sort(users * self._width + items)
        discounts = 1 / np.log2(np.arange(k) + 2)
        self._discounts: NDArray[np.float64] = discounts
        best = np.concatenate([[0.0], np.cumsum(discounts)])
        self._best = best[np.minimum(self._counts, k).astype(np.int64)]

    def measure(self, lists: Lists) -> tuple[PerUser, PerUser]:
        """Return (recall, ndcg) of ``lists``, each as [users]."""
        known = (lists != NOTHING) & (lists < self._width)
        pairs = np.arange(len(lists))[:, None] * self._width + lists
        places = np.minimum(np.searchsorted(self._pairs, pairs), len(self._pairs) - 1)
        hits = known & (self._pairs[places] == pairs)
        return hits.sum(axis=1) / self._counts, (hits @ self._discounts) / self._best
