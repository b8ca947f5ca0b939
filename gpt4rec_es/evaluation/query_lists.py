"""Lists from each case's queries, for several list lengths and numbers of queries at once.

A list for K = 5 is no beginning of the list for K = 40, so each is merged on its own, by the merge
of the night; but what was searched is searched once.
"""

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.metrics.lists import NOTHING, Lists
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.ranking.merge import QueryHits, merge_hits
from gpt4rec_es.records import Bm25, SearchResult
from gpt4rec_es.retrieval.lists import by_depth
from gpt4rec_es.retrieval.memory import MemoryGrid
from gpt4rec_es.retrieval.memory_index import MemoryIndex

# (list length, how many of the best queries are used)
Cell = tuple[int, int]
# Hits in memory at once: 256 MB.
_HITS = 1 << 26
# Merging goes by ranks alone; scores only have to be there.
_SCORES = (0.0,) * 10_000


def lists_of_queries(
    index: MemoryIndex,
    bm25: Bm25,
    tokens: Callable[[Sequence[str]], list[list[str]]],
    queries: Sequence[Sequence[str]],
    bought: Sequence[Collection[int]],
    cells: Sequence[Cell],
    progress: Progress = no_progress,
) -> dict[Cell, Lists]:
    """Return the lists of every cell, users in order; hits of the queries (best first) alone.

    tokens: what texts are searched for as. progress counts users.
    """
    found = {cell: np.full((len(queries), cell[0]), NOTHING, np.int32) for cell in cells}
    most = max(m for _, m in cells)
    done = 0
    for depth, users in by_depth(bought, max(k for k, _ in cells)).items():
        for step in _steps(users, queries, _HITS // depth):
            texts = list(dict.fromkeys(t for user in step for t in queries[user][:most]))
            places = {text: place for place, text in enumerate(texts)}
            searched = _Searched(index, bm25, tokens(texts), depth)
            for user in step:
                hits = [
                    QueryHits(rank, searched.result(places[text]))
                    for rank, text in enumerate(queries[user][:most], start=1)
                ]
                known = frozenset(bought[user])
                for k, m in cells:
                    picks = merge_hits(hits[:m], k, known).picks
                    found[k, m][user, : len(picks)] = [pick[0] for pick in picks]
                done += 1
                if done % 500 == 0:
                    progress(done, len(queries))
    progress(len(queries), len(queries))
    return {cell: lists.astype(np.int64) for cell, lists in found.items()}


class _Searched:
    """Hits of some texts, packed; a text's are unpacked when they are asked for."""

    def __init__(
        self, index: MemoryIndex, bm25: Bm25, tokens: Sequence[Sequence[str]], depth: int
    ) -> None:
        grid = MemoryGrid(index, [bm25], depth)
        parts = [part.item_nos[0].astype(np.int32) for part in grid.search(tokens)]
        self._hits: NDArray[np.int32] = np.concatenate(parts) if parts else np.empty((0, 1), "i4")
        self._counts = (self._hits != NOTHING).sum(axis=1)
        self._is_empty = [not one for one in tokens]

    def result(self, place: int) -> SearchResult:
        """Return the hits of a text, taken to be all there are."""
        count = int(self._counts[place])
        item_nos = tuple(self._hits[place, :count].tolist())
        return SearchResult(item_nos, _SCORES, True, self._is_empty[place])


def _steps(
    users: Sequence[int], queries: Sequence[Sequence[str]], most_texts: int
) -> Iterator[list[int]]:
    """Yield users whose texts together are about as many as fit."""
    step: list[int] = []
    texts = 0
    for user in users:
        step.append(user)
        texts += len(queries[user])
        if texts >= most_texts:
            yield step
            step, texts = [], 0
    if step:
        yield step
