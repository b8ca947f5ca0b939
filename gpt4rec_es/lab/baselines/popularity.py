"""Popularity baseline: the items with the most buyers, the same for every user."""

from collections.abc import Iterable, Sequence

from gpt4rec_es.lab.baselines.scored import check_k
from gpt4rec_es.lab.splits.histories import count_buyers


class Popularity:
    """Recommends the items with the most buyers."""

    def __init__(self, train: Iterable[Sequence[int]]) -> None:
        """Count the buyers of each item; ties are ordered by item number."""
        buyers = count_buyers(train)
        self._items = sorted(buyers, key=lambda item: (-buyers[item], item))

    def recommend(self, histories: Sequence[Sequence[int]], k: int) -> list[list[int]]:
        """Return the ``k`` most popular items that are not in the history, per history."""
        check_k(k)
        lists = []
        for history in histories:
            bought = set(history)
            candidates = self._items[: k + len(bought)]
            lists.append([item for item in candidates if item not in bought][:k])
        return lists
