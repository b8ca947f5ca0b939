"""Nearest neighbours of all items as arrays, by each way to count pairs that a tuning tries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.evaluation.sources import counted_purchases
from gpt4rec_es.lab.tuning.lists.arrays import new_array
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.features import Buyers
from gpt4rec_es.ranking.neighbours import strongest
from gpt4rec_es.ranking.values import Numbers, Values

# Steps from the best setting share its pairs, and alternate with steps of pairs.
_TABLES = 4


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
        folder: Path | None = None,
    ) -> None:
        """Set the purchases that ``fusion.pair_history`` counts; folder: for arrays, or None."""
        self._folder = folder
        self._ordered = sorted(catalog.item_ids, key=lambda item: catalog.item_ids[item].encode())
        self._purchases = counted_purchases(self._ordered, train, baskets, fusion)
        self._is_allowed = np.array([item in catalog.active for item in self._ordered], np.bool_)
        self._n_items = catalog.n_items
        counts = np.zeros(catalog.n_items, np.int32)
        counts[self._ordered] = np.bincount(self._purchases.items, minlength=len(self._ordered))
        self.buyers = Buyers(counts)
        self._known: dict[tuple[object, int], NeighbourTable] = {}

    def table(self, fusion: Fusion) -> NeighbourTable:
        """Return the neighbours by a fusion; those of the last few are kept."""
        key = (fusion.pairs, fusion.neighbours)
        found = self._known.pop(key, None) or self._counted(fusion)
        while len(self._known) >= _TABLES:
            del self._known[next(iter(self._known))]
        self._known[key] = found
        return found

    def _counted(self, fusion: Fusion) -> NeighbourTable:
        numbers = np.array(self._ordered, np.int32)
        counts = np.zeros(self._n_items + 1, np.int64)
        by_item: dict[int, tuple[NDArray[np.int32], NDArray[np.float32]]] = {}
        found = strongest(self._purchases, fusion.pairs, fusion.neighbours, self._is_allowed)
        for item, (near, similarities) in zip(self._ordered, found, strict=True):
            counts[item + 1] = len(near)
            by_item[item] = numbers[near], similarities
        starts = np.cumsum(counts)
        items = np.asarray(new_array(self._folder, (int(starts[-1]),), np.int32))
        values = np.asarray(new_array(self._folder, (int(starts[-1]),), np.float64))
        for item, (near, similarities) in by_item.items():
            own = slice(starts[item], starts[item + 1])
            items[own], values[own] = near, similarities
        return NeighbourTable(starts, items, values)
