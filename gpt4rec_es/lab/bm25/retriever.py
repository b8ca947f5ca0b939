"""In-process BM25 retriever, equal to Elasticsearch: same hits, same order, same scores.

Used for tuning, which searches the same queries at hundreds of (k1, b). This module converts texts
to tokens and hits to results; grid.py searches.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from gpt4rec_es.elastic.queries import search_text
from gpt4rec_es.elastic.similarity import FieldBm25
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.fields_grid import open_grid
from gpt4rec_es.lab.bm25.grid import GridHits
from gpt4rec_es.lab.bm25.index import MemoryIndex
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.records import Bm25, SearchResult
from gpt4rec_es.retrieval.body import MAX_DEPTH

Analyze = Callable[[Sequence[str]], list[list[str]]]


class KnownTokens:
    """An Analyze with a cache: each text is analyzed once."""

    def __init__(self, analyze: Analyze) -> None:
        self._analyze = analyze
        self._known: dict[str, list[str]] = {}

    def __call__(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the tokens of each text, in order."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._analyze(new), strict=True))
        return [self._known[text] for text in texts]


class MemoryGridSearch:
    """Searches an index for texts at given points (k1, b)."""

    def __init__(
        self,
        index: MemoryIndex,
        analyze: Analyze,
        options: SearchOptions = ANY_TERM,
        field_bm25: FieldBm25 | None = None,
    ) -> None:
        """Set the index and its search analyzer, a function from texts to tokens.

        field_bm25: see ``open_grid``.
        """
        self._index, self.options, self._field_bm25 = index, options, field_bm25
        self._analyze = analyze if isinstance(analyze, KnownTokens) else KnownTokens(analyze)

    def is_empty(self, text: str) -> bool:
        """Return whether no token of ``text`` is left after analysis."""
        return not self._analyze([search_text(text, self.options)])[0]

    def search(
        self, texts: Sequence[str], points: Sequence[Bm25], depth: int
    ) -> Iterator[GridHits]:
        """Yield the hits of ``texts`` at all ``points``, as ``MemoryGrid`` does.

        Raises:
            UsageError: there is no point, or ``depth`` is below 1.
        """
        grid = open_grid(self._index, points, depth, self.options, self._field_bm25)
        return grid.search(self._analyze([search_text(text, self.options) for text in texts]))


class MemoryRetriever:
    """Searches an index at one (k1, b), with the results of the retriever on Elasticsearch."""

    def __init__(
        self,
        index: MemoryIndex,
        bm25: Bm25,
        analyze: Analyze,
        field_bm25: FieldBm25 | None = None,
    ) -> None:
        """Set the index and its search analyzer, a function from texts to tokens.

        field_bm25: see ``open_grid``.
        """
        self._index, self._bm25, self._analyze = index, bm25, analyze
        self._field_bm25 = field_bm25

    def search(
        self, texts: Sequence[str], depth: int, options: SearchOptions = ANY_TERM
    ) -> list[SearchResult]:
        """Return the best ``depth`` active items for each text, in order, found by ``options``.

        Of long texts only the first 64 words are used.

        Raises:
            UsageError: ``depth`` is not between 1 and 10,000.
        """
        if depth > MAX_DEPTH:
            raise UsageError(f"The depth {depth} is not between 1 and {MAX_DEPTH}.")
        wanted = [search_text(text, options) for text in texts]
        distinct = list(dict.fromkeys(wanted))
        grid = open_grid(self._index, [self._bm25], depth, options, self._field_bm25)
        tokens = self._analyze(distinct)
        results: dict[str, SearchResult] = {}
        for hits in grid.search(tokens):
            for number, item_nos in enumerate(hits.item_nos[0], start=hits.first):
                n = int(np.count_nonzero(item_nos >= 0))
                results[distinct[number]] = SearchResult(
                    tuple(item_nos[:n].tolist()),
                    tuple(hits.scores[0, number - hits.first, :n].tolist()),
                    exhausted=n < depth,
                    is_empty_query=not tokens[number],
                )
        return [results[text] for text in wanted]
