"""Hits of distinct texts, searched once for all settings of a tuning."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.bm25.nearest import NearestTitles
from gpt4rec_es.lab.bm25.retriever import MemoryGridSearch
from gpt4rec_es.lab.tuning.lists.arrays import new_array
from gpt4rec_es.lab.tuning.lists.many_values import Evidences
from gpt4rec_es.ranking.scoring import base_and_unit, cosine
from gpt4rec_es.ranking.values import Numbers, Values
from gpt4rec_es.records import Bm25


@dataclass(frozen=True, slots=True)
class TextHits:
    """Hits of texts, best first. rows: by text. items, values: all hits, ``depth`` places per text.

    values: fraction of the text's best score; of hits by vectors, the cosine. counts: hits by text.
    is_empty: whether no token of the text is left after analysis, or it has no vector.
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

    def near_evidences(
        self,
        of: Numbers,
        places: Numbers,
        rows: Numbers,
        per_user: Numbers,
        most: int,
        candidates: int,
    ) -> Evidences:
        """Return evidence as ``evidences`` does, of hits by vectors.

        candidates: hits by which nearness is measured, see ``ranking.scoring.base_and_unit``.
        """
        found = self.evidences(of, places, rows, per_user, min(most, candidates))
        counted = np.minimum(self.counts[rows], candidates)
        last = np.zeros(len(rows))
        has = counted > 0
        last[has] = self.values[(rows * self.depth + counted - 1)[has]]
        bases, units = base_and_unit(last)
        return found._replace(bases=bases, units=units)

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


def nearest_texts(
    search: NearestTitles,
    texts: Sequence[str],
    depth: int,
    folder: Path | None,
    progress: Callable[[int], None],
) -> TextHits:
    """Return the ``depth`` nearest titles of the distinct ``texts``; progress counts texts."""
    items = new_array(folder, (len(texts), depth), np.int32)
    values = new_array(folder, (len(texts), depth), np.float64)
    counts, is_empty = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.bool_)
    for first, hits, lacking in search.blocks(texts, depth):
        is_empty[first : first + len(hits)] = lacking
        for row, (found, scores) in enumerate(hits, start=first):
            counts[row] = len(found)
            items[row, : len(found)] = found
            values[row, : len(found)] = cosine(scores.astype(np.float64))
        progress(first + len(hits))
    return TextHits(
        {text: row for row, text in enumerate(texts)},
        depth,
        np.asarray(items).reshape(-1),
        np.asarray(values).reshape(-1),
        counts,
        is_empty,
    )


# Where no encoder is used.
NO_HITS = TextHits(
    {},
    0,
    np.zeros(0, np.int32),
    np.zeros(0),
    np.zeros(0, np.int64),
    np.zeros(0, np.bool_),
)
