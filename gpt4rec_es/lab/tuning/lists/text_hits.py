"""Hits of distinct texts, searched once for all settings of a tuning."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.bm25.retriever import MemoryGridSearch
from gpt4rec_es.lab.tuning.lists.arrays import new_array
from gpt4rec_es.lab.tuning.lists.many_values import Evidences
from gpt4rec_es.ranking.values import Numbers, Values
from gpt4rec_es.records import Bm25


@dataclass(frozen=True, slots=True)
class TextHits:
    """Hits of texts, best first. rows: by text. items, values: all hits, ``depth`` places per text.

    values: fraction of the text's best score. counts: hits by text. is_empty: whether no token of
    the text is left after analysis.
    """

    rows: Mapping[str, int]
    depth: int
    items: NDArray[np.int32]
    values: Values
    counts: Numbers
    is_empty: NDArray[np.bool_]

    def evidences(
        self, of: Numbers, places: Numbers, rows: Numbers, per_user: Numbers, most: int
    ) -> Evidences:
        """Return the first ``most`` hits of these rows as evidence."""
        counts = np.minimum(self.counts[rows], most)
        return Evidences(of, places, rows * self.depth, counts, per_user)

    def by_item(self, item_bits: int) -> tuple[Numbers, Numbers]:
        """Return all hits as sorted numbers, the row shifted by ``item_bits`` and the item.

        And the place of each among the hits of its text.
        """
        rows = np.repeat(np.arange(len(self.counts)), self.counts)
        places = np.arange(len(rows)) - np.repeat(np.cumsum(self.counts) - self.counts, self.counts)
        place_bits = self.depth.bit_length()
        keys = (rows << item_bits) | self.items[rows * self.depth + places]
        keys = (keys << place_bits) | places
        keys.sort()
        return keys >> place_bits, keys & ((1 << place_bits) - 1)


def search_texts(
    search: MemoryGridSearch,
    texts: Sequence[str],
    bm25: Bm25,
    depth: int,
    folder: Path | None,
    progress: Callable[[int], None],
) -> TextHits:
    """Return the first ``depth`` hits of the distinct ``texts``; progress counts texts."""
    items = new_array(folder, (len(texts), depth), np.int32)
    values = new_array(folder, (len(texts), depth), np.float64)
    counts = np.zeros(len(texts), np.int64)
    for part in search.search(texts, [bm25], depth) if texts else ():
        found, scores = part.item_nos[0], part.scores[0].astype(np.float64)
        rows = slice(part.first, part.first + len(found))
        width = found.shape[1]
        # As ranking.scoring divides by the best score, and by 1 where that is 0.
        units = np.where(scores[:, :1] == 0, 1.0, scores[:, :1])
        items[rows, :width], values[rows, :width] = found, scores / units
        counts[rows] = (found >= 0).sum(axis=1)
        progress(rows.stop)
    return TextHits(
        {text: row for row, text in enumerate(texts)},
        depth,
        np.asarray(items).reshape(-1),
        np.asarray(values).reshape(-1),
        counts,
        np.array([search.is_empty(text) for text in texts], np.bool_),
    )
