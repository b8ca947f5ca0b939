"""Common parts of recommenders that score every item: age weights, and the best items."""

from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.pairs import COSINE
from gpt4rec_es.ranking.neighbours import Purchases, nearest, similarity_blocks

Scores = NDArray[np.float32]
# A csr_array of float32; SciPy has no type stubs.
Matrix: TypeAlias = Any

# Users scored at once; each has a row of scores for the whole catalog.
_USERS_PER_STEP = 256


class Scorer(Protocol):
    """Gives each item a score for each history; 0 for items it cannot recommend."""

    @property
    def n_items(self) -> int:
        """Length of a row of scores; item numbers are smaller."""

    def scores(self, histories: Sequence[Sequence[int]]) -> Scores:
        """Return scores as [histories, items]."""


class Scored:
    """Recommends the items with a scorer's highest scores above 0."""

    def __init__(self, scorer: Scorer, active: Collection[int]) -> None:
        """Set the scorer, and the item numbers that may be listed; ties go by item number."""
        self._scorer = scorer
        self._is_hidden = np.ones(scorer.n_items, np.bool_)
        self._is_hidden[[item for item in active if item < scorer.n_items]] = False

    def recommend(self, histories: Sequence[Sequence[int]], k: int) -> list[list[int]]:
        """Return the ``k`` best active items per history that are not in it.

        Raises:
            UsageError: ``k`` is below 1.
        """
        check_k(k)
        lists: list[list[int]] = []
        for first in range(0, len(histories), _USERS_PER_STEP):
            step = histories[first : first + _USERS_PER_STEP]
            scores = self._scorer.scores(step)
            scores[:, self._is_hidden] = 0
            for row, history in zip(scores, step, strict=True):
                row[[item for item in history if item < len(row)]] = 0
            lists += best_items(scores, k)
        return lists


def best_items(scores: Scores, k: int) -> list[list[int]]:
    """Return the ``k`` items with the highest scores above 0 of each row, ties by item number."""
    k = min(k, scores.shape[1])
    if not scores.size:
        return [[] for _ in scores]
    # Items that tie with the last place are compared too, so that the choice is deterministic.
    bars = np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k]
    lists = []
    for row, bar in zip(scores, bars, strict=True):
        items = np.flatnonzero((row >= bar) & (row > 0))
        lists.append(items[np.argsort(-row[items], kind="stable")][:k].tolist())
    return lists


def age_weights(histories: Sequence[Sequence[int]], decay: float, n_items: int) -> Matrix:
    """Return [histories, items]: 1 for the newest item, multiplied by ``decay`` per older one.

    Items numbered ``n_items`` and higher are left out.
    """
    rows, items, weights = [], [], []
    for row, history in enumerate(histories):
        for age, item in enumerate(reversed(history)):
            if item < n_items:
                rows.append(row)
                items.append(item)
                weights.append(decay**age)
    shape = (len(histories), n_items)
    return sparse.csr_array((np.array(weights, np.float32), (rows, items)), shape=shape)


def check_k(k: int) -> None:
    """Refuse an invalid list length, before work is done.

    Raises:
        UsageError: ``k`` is below 1.
    """
    if k < 1:
        raise UsageError(f"k is {k}.", "Ask for at least 1 item.")


def check_decay(decay: float) -> None:
    """Refuse a decay outside 0 (excluded) to 1.

    Raises:
        UsageError: ``decay`` is not above 0 and at most 1.
    """
    if not 0 < decay <= 1:
        raise UsageError(
            f"The decay is {decay}.", "It must be above 0 and at most 1; usual is 0.7."
        )


class CoPurchases:
    """Scores an item by the cosine between its buyers and those of each item in the history."""

    def __init__(
        self,
        train: Collection[Sequence[int]],
        n_items: int,
        decay: float = 0.7,
        neighbours: int = 2000,
    ) -> None:
        """Count in ``train``, whose item numbers must be below ``n_items``.

        neighbours: number of most similar items kept of each item, which bounds the memory.

        Raises:
            UsageError: ``decay`` is not above 0 and at most 1.
        """
        check_decay(decay)
        self.n_items = n_items
        self._decay = decay
        once = [list(dict.fromkeys(items)) for items in train]
        starts = np.cumsum([0, *map(len, once)], dtype=np.int64)
        items = np.fromiter(chain.from_iterable(once), np.int32)
        purchases = Purchases(items, np.zeros_like(items), starts, n_items)
        blocks = similarity_blocks(purchases, COSINE)
        self._cosines = sparse.vstack([_strongest(b, neighbours) for b in blocks], format="csr")

    def scores(self, histories: Sequence[Sequence[int]]) -> Scores:
        """Return the sum of cosines, decayed by age, as [histories, items]."""
        weights = age_weights(histories, self._decay, self.n_items)
        scores: Scores = (weights @ self._cosines).toarray()
        return scores


def _strongest(block: Matrix, most: int) -> Matrix:
    """Return ``block`` with the ``most`` highest values of each row."""
    if (np.diff(block.indptr) <= most).all():
        return block
    rows = list(nearest(block, most, np.ones(block.shape[1], np.bool_)))
    starts = np.cumsum([0, *(len(items) for items, _ in rows)])
    items, values = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    kept: Matrix = sparse.csr_array((values, items, starts), shape=block.shape)
    kept.sort_indices()
    return kept


class Hybrid:
    """Weighted sum of several scorers over one catalog."""

    def __init__(self, parts: Sequence[tuple[float, Scorer]]) -> None:
        """Set ``parts`` as (weight, scorer).

        Raises:
            UsageError: there are no parts, or their catalogs differ in size.
        """
        sizes = {scorer.n_items for _, scorer in parts}
        if len(sizes) != 1:
            raise UsageError("A hybrid needs scorers that number the same items.")
        self.n_items = sizes.pop()
        self._parts = tuple(parts)

    def scores(self, histories: Sequence[Sequence[int]]) -> Scores:
        """Return the weighted sum of the parts' scores as [histories, items]."""
        (first_weight, first), *rest = self._parts
        scores = first.scores(histories)
        scores *= first_weight
        for weight, scorer in rest:
            scores += weight * scorer.scores(histories)
        return scores
