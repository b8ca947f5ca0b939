"""Nearest neighbours of all items as arrays, by each way to count pairs that a tuning tries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.evaluation.sources import counted_purchases
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.features import Buyers
from gpt4rec_es.ranking.neighbours import strongest
from gpt4rec_es.ranking.values import Numbers, Values


@dataclass(frozen=True, slots=True)
class NeighbourTable:
    """Neighbours of each item, best first. starts: by item number, and their total at the end."""

    starts: Numbers
    items: NDArray[np.int32]
    values: Values


class PairTables:
    """Counts pairs of the training part; purchases are read once."""

    def __init__(
        self,
        catalog: EvaluationCatalog,
        train: Mapping[int, Sequence[int]],
        baskets: Mapping[int, Sequence[int]],
        fusion: Fusion,
    ) -> None:
        """Set the purchases that ``fusion.pair_history`` counts."""
        self._ordered = sorted(catalog.item_ids, key=lambda item: catalog.item_ids[item].encode())
        self._purchases = counted_purchases(self._ordered, train, baskets, fusion)
        self._is_allowed = np.array([item in catalog.active for item in self._ordered], np.bool_)
        self._n_items = catalog.n_items
        counts = np.zeros(catalog.n_items, np.int32)
        counts[self._ordered] = np.bincount(self._purchases.items, minlength=len(self._ordered))
        self.buyers = Buyers(counts)
        self._known: dict[tuple[object, int], NeighbourTable] = {}

    def table(self, fusion: Fusion) -> NeighbourTable:
        """Return the neighbours by a fusion; those of the last one are kept."""
        key = (fusion.pairs, fusion.neighbours)
        if key not in self._known:
            self._known = {key: self._counted(fusion)}
        return self._known[key]

    def _counted(self, fusion: Fusion) -> NeighbourTable:
        numbers = np.array(self._ordered, np.int32)
        counts = np.zeros(self._n_items + 1, np.int64)
        by_item: dict[int, tuple[NDArray[np.int32], NDArray[np.float32]]] = {}
        found = strongest(self._purchases, fusion.pairs, fusion.neighbours, self._is_allowed)
        for item, (near, similarities) in zip(self._ordered, found, strict=True):
            counts[item + 1] = len(near)
            by_item[item] = numbers[near], similarities
        parts = [by_item[item] for item in sorted(by_item)]
        return NeighbourTable(
            np.cumsum(counts),
            np.concatenate([np.zeros(0, np.int32), *(near for near, _ in parts)]),
            np.concatenate([np.zeros(0), *(one for _, one in parts)]).astype(np.float64),
        )
