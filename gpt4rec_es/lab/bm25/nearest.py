"""Exact nearest titles by an encoder's vectors, in this process: the hits of the search cluster."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.elastic.queries import search_text
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.records import SearchResult
from gpt4rec_es.retrieval.body import require_depth

Vectors32 = NDArray[np.float32]
# Function from texts to (texts, dims): rows of unit length, or zeros where no token is known.
Encode = Callable[[Sequence[str]], Vectors32]
# Texts that are encoded at once.
_TEXTS = 1024


class NearestTitles:
    """Searches a catalog's titles for the nearest ones to texts.

    Scores are those of the cluster, (1 + cosine) / 2 in single precision; equal ones are ordered by
    item id.
    """

    def __init__(self, item_ids: Mapping[int, str], vectors: Vectors32, encode: Encode) -> None:
        """Set the ids of items by number, and their vectors, [items, dims], in that order.

        An item with a vector of zeros is never found, as in the cluster.
        """
        numbers = np.fromiter(item_ids, np.int64, len(item_ids))
        order = np.array(
            sorted(range(len(numbers)), key=lambda place: item_ids[int(numbers[place])].encode()),
            np.int64,
        )
        kept = order[vectors[order].any(axis=1)] if len(order) else order
        self._numbers, self._encode = numbers[kept], encode
        # Products of equal rows may differ by a bit, by their place in the matrix: one of each.
        self._vectors, places = np.unique(vectors[kept], axis=0, return_inverse=True)
        self._places = places.reshape(-1)

    def blocks(
        self, texts: Sequence[str], depth: int
    ) -> Iterator[tuple[int, list[tuple[NDArray[np.int64], Vectors32]], NDArray[np.bool_]]]:
        """Yield (index of the first text, hits of each, whether each has no vector), in order.

        Hits are item numbers and scores, best first.
        """
        for first in range(0, len(texts), _TEXTS):
            asked = self._encode([search_text(text) for text in texts[first : first + _TEXTS]])
            is_empty = np.logical_not(asked.any(axis=1), dtype=np.bool_)
            # One product per text: those of a matrix depend on its shape, by a bit.
            yield first, [self._nearest(row, depth) for row in asked], is_empty

    def _nearest(self, asked: Vectors32, depth: int) -> tuple[NDArray[np.int64], Vectors32]:
        if not asked.any():
            depth = 0
        scores = np.maximum((1 + self._vectors @ asked) / np.float32(2), 0)
        return self._best(scores[self._places], depth)

    def _best(self, scores: Vectors32, depth: int) -> tuple[NDArray[np.int64], Vectors32]:
        kept = np.arange(min(len(scores), depth))
        if 0 < depth < len(scores):  # all that tie with the last one, in order of ids
            least = np.partition(scores, len(scores) - depth)[len(scores) - depth]
            kept = np.flatnonzero(scores >= least)
        best = kept[np.argsort(-scores[kept], kind="stable")[:depth]]
        return self._numbers[best], scores[best]

    def search(
        self,
        texts: Sequence[str],
        depth: int,
        options: SearchOptions = ANY_TERM,  # noqa: ARG002 - of searches by words
    ) -> list[SearchResult]:
        """Return the nearest ``depth`` items of each text, in order, as the retriever does.

        Raises:
            UsageError: ``depth`` is not between 1 and 10,000.
        """
        require_depth(depth)
        return [
            SearchResult(
                tuple(item_nos.tolist()),
                tuple(scores.tolist()),
                exhausted=len(item_nos) < depth,
                is_empty_query=bool(empty),
            )
            for _, hits, is_empty in self.blocks(texts, depth)
            for (item_nos, scores), empty in zip(hits, is_empty, strict=True)
        ]
