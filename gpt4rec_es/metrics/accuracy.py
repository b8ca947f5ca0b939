"""Recall, hit rate, NDCG and reciprocal rank per user.

Grids measure the same users hundreds of times, so parts independent of the lists are prepared once.
A user with an empty list counts as a miss. Tests compare the values with trec_eval's.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.errors import UsageError
from gpt4rec_es.metrics.lists import NOTHING, Lists, PerUser


class Targets:
    """The held-out items of users, ready for measuring many lists of the same users."""

    def __init__(self, targets: Sequence[Collection[int]]) -> None:
        """Set each user's targets, at least one per user.

        Raises:
            UsageError: there are no users, or a user has no target.
        """
        if not len(targets):
            raise UsageError("There is nothing to measure: no user has held-out items.")
        if not all(targets):
            raise UsageError("A user without held-out items cannot be measured.", "Leave it out.")
        self._counts = np.array([len(set(items)) for items in targets], np.float64)
        users = np.repeat(np.arange(len(targets)), self._counts.astype(np.int64))
        items = np.array([item for several in targets for item in set(several)], np.int64)
        # One number per (user, item); lists may have larger item numbers than all targets.
        self._width = int(items.max(initial=0)) + 1
        self._pairs = np.sort(users * self._width + items)

    def measure(self, lists: Lists) -> dict[str, PerUser]:
        """Return recall, hit_rate, ndcg and mrr of ``lists`` [users, k], each as [users].

        ndcg: gain 1 per target, discount log2(1 + rank), divided by the ideal DCG.
        mrr: 1 / rank of the first target in the list.

        Raises:
            UsageError: there is not one list per user.
        """
        if len(lists) != len(self._counts):
            raise UsageError(
                f"{len(lists)} lists cannot be measured by {len(self._counts)} users' targets."
            )
        hits = self._hits(lists)
        discounts = 1 / np.log2(np.arange(lists.shape[1]) + 2)
        best = np.concatenate([[0.0], np.cumsum(discounts)])
        ideal = best[np.minimum(self._counts, lists.shape[1]).astype(np.int64)]
        is_hit = hits.any(axis=1)
        return {
            "recall": hits.sum(axis=1) / self._counts,
            "hit_rate": is_hit.astype(np.float64),
            "ndcg": (hits @ discounts) / ideal,
            "mrr": np.where(is_hit, 1 / (1 + hits.argmax(axis=1)), 0.0),
        }

    def _hits(self, lists: Lists) -> NDArray[np.bool_]:
        """Return [users, k]: whether each place of the lists is a target."""
        known = (lists != NOTHING) & (lists < self._width)
        pairs = np.arange(len(lists))[:, None] * self._width + lists
        places = np.minimum(np.searchsorted(self._pairs, pairs), len(self._pairs) - 1)
        hits: NDArray[np.bool_] = known & (self._pairs[places] == pairs)
        return hits


def accuracy(lists: Lists, targets: Sequence[Collection[int]]) -> dict[str, PerUser]:
    """Return ``Targets(targets).measure(lists)``, for targets that are used once.

    Raises:
        UsageError: there are no users, the numbers differ, or a user has no target.
    """
    return Targets(targets).measure(lists)
