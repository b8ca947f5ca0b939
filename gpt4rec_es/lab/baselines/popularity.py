"""Popularity baseline: the items with the most buyers, the same for every user."""

from collections.abc import Collection, Iterable, Sequence

from gpt4rec_es.lab.baselines.scored import check_k
from gpt4rec_es.lab.splits.histories import count_buyers


class Popularity:
    """Recommends the items with the most buyers."""

    def __init__(self, train: Iterable[Sequence[int]], active: Collection[int]) -> None:
        """Count the buyers of each item; ties are ordered by item number.

        active: item numbers that may be listed.
        """
        buyers = count_buyers(train)
        listed = buyers.keys() & active
        self._items = sorted(listed, key=lambda item: (-buyers[item], item))

    def recommend(self, histories: Sequence[Sequence[int]], k: int) -> list[list[int]]:
        """Return the ``k`` most popular active items that are not in the history, per history."""
        check_k(k)
        lists = []
        for history in histories:
            bought = set(history)
            candidates = self._items[: k + len(bought)]
            lists.append([item for item in candidates if item not in bought][:k])
        return lists
