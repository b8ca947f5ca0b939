"""Hits of numbered texts for the night's merge, searched in this process.

All points (k1, b) share one search, and users share the hits of equal texts. Hits are not stored:
they stay in memory while the lists of a group of users are merged.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.bm25.nearest import NearestTitles
from gpt4rec_es.lab.bm25.retriever import MemoryGridSearch
from gpt4rec_es.metrics.lists import NOTHING
from gpt4rec_es.night.inputs.manifest import depth_ladder
from gpt4rec_es.night.stages.hits import SearchKey
from gpt4rec_es.records import Bm25, SearchResult

# The second part of a search key: the role of a text.
_AS_TITLE, _AS_QUERY = 0, 1


@dataclass(frozen=True, slots=True)
class _Block:
    """Hits of some texts: item_nos and scores as [points, texts, hits], counts as [points, texts].

    depth: number of hits searched for. is_empty: by text, whether no token is left after analysis.
    """

    depth: int
    item_nos: NDArray[np.int32]
    scores: NDArray[np.float32]
    counts: NDArray[np.int64]
    is_empty: Sequence[bool]


class MemoryHits:
    """The hits of ``texts`` at all ``points``; a text is searched when a merge first needs it.

    The number of a text is its index in ``texts``. queries: search options of generated queries;
    titles: those of bought titles; nearest: by vectors. depth: initial search depth, see
    ``depth_ladder``; as many hits by vectors count at most.
    """

    def __init__(
        self,
        texts: Sequence[str],
        points: Sequence[Bm25],
        depth: int,
        *,
        queries: MemoryGridSearch,
        titles: MemoryGridSearch,
        nearest: NearestTitles | None = None,
    ) -> None:
        self._texts, self._points = texts, points
        self._searches = {_AS_QUERY: queries, _AS_TITLE: titles}
        # With equal options both roles of a text share one search.
        self.query_role = _AS_TITLE if queries.options == titles.options else _AS_QUERY
        self._depths = depth_ladder(depth)
        self._nearest, self._near = nearest, dict[int, SearchResult]()
        self._found: dict[SearchKey, tuple[int, _Block, int]] = {}

    def near(self, number: int) -> SearchResult | None:
        """Return the hits of a text by vectors, at any point; None: not searched."""
        return self._near.get(number)

    def fetch_near(self, numbers: Collection[int]) -> None:
        """Search texts by vectors that were not searched yet, to the first depth."""
        wanted = [number for number in numbers if number not in self._near]
        if self._nearest is not None and wanted:
            texts = [self._texts[number] for number in wanted]
            found = self._nearest.search(texts, self._depths[0])
            self._near |= dict(zip(wanted, found, strict=True))

    def at(self, point: int) -> "HitsAtPoint":
        """Return the hits at the point of this index, with the interface of the merge."""
        return HitsAtPoint(self, point)

    def result(self, asked: SearchKey, point: int) -> SearchResult | None:
        """Return the hits searched so far; None: not searched."""
        if asked not in self._found:
            return None
        depth_step, block, row = self._found[asked]
        count = int(block.counts[point, row])
        return SearchResult(
            tuple(block.item_nos[point, row, :count].tolist()),
            tuple(block.scores[point, row, :count].tolist()),
            # The last depth is the maximum: its hits count as exhausted.
            exhausted=count < block.depth or depth_step == len(self._depths) - 1,
            is_empty_query=block.is_empty[row],
        )

    def fetch(self, asked: Iterable[SearchKey]) -> None:
        """Search texts that were not searched yet, to the first depth."""
        self._search(0, [one for one in asked if one not in self._found])

    def fetch_deeper(self, asked: Iterable[SearchKey]) -> None:
        """Search these one step deeper."""
        by_step: dict[int, list[SearchKey]] = defaultdict(list)
        for one in asked:
            by_step[self._found[one][0] + 1].append(one)
        for depth_step, several in by_step.items():
            self._search(depth_step, several)

    def _search(self, depth_step: int, asked: Collection[SearchKey]) -> None:
        depth = self._depths[depth_step]
        for role, search in self._searches.items():
            several = [one for one in asked if one[1] == role]
            if not several:
                continue
            texts = [self._texts[number] for number, _ in several]
            for part in search.search(texts, self._points, depth):
                some = slice(part.first, part.first + part.item_nos.shape[1])
                block = _Block(
                    depth,
                    part.item_nos.astype(np.int32),
                    part.scores,
                    (part.item_nos != NOTHING).sum(axis=2),
                    [search.is_empty(text) for text in texts[some]],
                )
                self._found |= {
                    one: (depth_step, block, row) for row, one in enumerate(several[some])
                }


class HitsAtPoint:
    """The hits at one point, with the interface of the night's merge loop, see ``HitSource``."""

    def __init__(self, hits: MemoryHits, point: int) -> None:
        self._hits, self._point = hits, point

    def query_key(self, query_no: int) -> SearchKey:
        """Return the search key of a generated query."""
        return query_no, self._hits.query_role

    def title_key(self, query_no: int) -> SearchKey:
        """Return the search key of a bought title."""
        return query_no, _AS_TITLE

    def of_query(self, query_no: int) -> SearchResult | None:
        """Return the hits of a generated query; None: not searched."""
        return self._hits.result(self.query_key(query_no), self._point)

    def of_title(self, query_no: int) -> SearchResult | None:
        """Return the hits of a bought title; None: not searched."""
        return self._hits.result(self.title_key(query_no), self._point)

    def near(self, query_no: int) -> SearchResult | None:
        """Return the hits of a text by vectors; None: not searched."""
        return self._hits.near(query_no)

    def load_near(self, query_nos: Collection[int]) -> None:
        """Search texts by vectors that were not searched yet."""
        self._hits.fetch_near(query_nos)

    def load_first(self, asked: Collection[SearchKey]) -> None:
        """Search texts that were not searched yet, to the first depth."""
        self._hits.fetch(asked)

    def fetch(self, asked: Collection[SearchKey]) -> None:
        """Search texts that were not searched yet, to the first depth."""
        self._hits.fetch(asked)

    def fetch_deeper(self, asked: Collection[SearchKey]) -> None:
        """Search these one step deeper, at all points."""
        self._hits.fetch_deeper(asked)
