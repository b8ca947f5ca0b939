"""Lists from each case's queries, for several list lengths and numbers of queries at once.

A list for K = 5 is no beginning of the list for K = 40, so each is merged on its own, by the merge
of the night; but what was searched is searched once.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.bm25.depths import by_depth
from gpt4rec_es.lab.bm25.grid import MemoryGrid
from gpt4rec_es.lab.evaluation.catalog import EvaluationCatalog
from gpt4rec_es.metrics.lists import NOTHING, Lists
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.ranking.merge import QueryHits, merge_hits
from gpt4rec_es.records import SearchResult
from gpt4rec_es.retrieval.body import MAX_DEPTH

# (list length, how many of the best queries are used)
Cell = tuple[int, int]
# The hits of a text.
Search = Callable[[str], SearchResult]
# Makes one user's lists, by cell, from the hits of queries and those of titles; None: it takes
# deeper hits.
MakeLists = Callable[[int, Search, Search], Iterable[tuple[Cell, Sequence[int]]] | None]
# Hits in memory at once: 256 MB.
_HITS = 1 << 25
_DEEPER = 4


def lists_of_queries(
    catalog: EvaluationCatalog,
    queries: Sequence[Sequence[str]],
    bought: Sequence[Collection[int]],
    cells: Sequence[Cell],
    progress: Progress = no_progress,
    options: SearchOptions = ANY_TERM,
) -> dict[Cell, Lists]:
    """Return the lists of every cell, users in order; hits of the queries (best first) alone.

    progress counts users. options: how queries are searched for.
    """
    most = max(m for _, m in cells)
    used = [each[:most] for each in queries]

    def make(user: int, of_query: Search, _: Search) -> Iterator[tuple[Cell, Sequence[int]]]:
        hits = query_hits(used[user], of_query)
        known = frozenset(bought[user])
        for k, m in cells:
            yield (k, m), [pick[0] for pick in merge_hits(hits[:m], k, known).picks]

    return make_lists(catalog, used, bought, cells, make, options=options, progress=progress)


def query_hits(queries: Sequence[str], search: Search) -> list[QueryHits]:
    """Return the hits of one user's queries, best first."""
    return [QueryHits(rank, search(text)) for rank, text in enumerate(queries, start=1)]


def make_lists(
    catalog: EvaluationCatalog,
    queries: Sequence[Sequence[str]],
    bought: Sequence[Collection[int]],
    cells: Sequence[Cell],
    make: MakeLists,
    *,
    titles: Sequence[Sequence[str]] | None = None,
    options: SearchOptions = ANY_TERM,
    least_depth: int = 1,
    deepens: bool = False,
    progress: Progress = no_progress,
) -> dict[Cell, Lists]:
    """Return what ``make`` makes of each user's texts, searched deep enough for all cells.

    Queries are searched by ``options``, titles without. least_depth: hits that are wanted of every
    text, however short the lists. deepens: that depth may not do, as where rules refuse items; hits
    say then whether they are all, and ``make`` is asked again with deeper ones until it makes
    lists. Else hits are taken to be all there are.
    """
    own = titles or [()] * len(queries)
    texts = [[*some, *others] for some, others in zip(queries, own, strict=True)]
    found = {cell: np.full((len(texts), cell[0]), NOTHING, np.int32) for cell in cells}
    done = 0
    for depth, users in by_depth(bought, max(k for k, _ in cells)).items():
        deep, pending = max(depth, least_depth), users
        while pending:
            is_all = not deepens or deep >= MAX_DEPTH
            again: list[int] = []
            for step in _steps(pending, texts, _HITS // deep):
                search = partial(_search, catalog, step, depth=deep, is_all=is_all)
                if options == ANY_TERM:
                    of_query = of_title = search(texts, options)
                else:
                    of_query, of_title = search(queries, options), search(own, ANY_TERM)
                for user in step:
                    made = make(user, of_query, of_title)
                    if made is None:
                        again.append(user)
                        continue
                    for cell, items in made:
                        found[cell][user, : len(items)] = items
                    done += 1
                    if done % 500 == 0:
                        progress(done, len(texts))
            deep, pending = min(deep * _DEEPER, MAX_DEPTH), again
    progress(len(texts), len(texts))
    return {cell: lists.astype(np.int64) for cell, lists in found.items()}


def _search(
    catalog: EvaluationCatalog,
    users: Sequence[int],
    texts: Sequence[Sequence[str]],
    options: SearchOptions,
    *,
    depth: int,
    is_all: bool,
) -> Search:
    """Return the hits of the texts of these users."""
    distinct = {text for user in users for text in texts[user]}
    return _Searched(catalog, distinct, options, depth, is_all).result


class _Searched:
    """Hits of some texts, packed; a text's are unpacked when they are asked for."""

    def __init__(
        self,
        catalog: EvaluationCatalog,
        texts: Collection[str],
        options: SearchOptions,
        depth: int,
        is_all: bool,
    ) -> None:
        self._depth, self._is_all = depth, is_all
        ordered = sorted(texts)
        self._places = {text: place for place, text in enumerate(ordered)}
        tokens = catalog.tokens(ordered)
        self._is_empty = [not one for one in tokens]
        parts = list(MemoryGrid(catalog.index, [catalog.bm25], depth, options).search(tokens))
        hits = [part.item_nos[0].astype(np.int32) for part in parts]
        # Nobody asks for a hit where there is no text.
        self._hits: NDArray[np.int32] = np.concatenate(hits or [np.empty((0, 1), np.int32)])
        scores = [part.scores[0] for part in parts]
        self._scores = np.concatenate(scores or [np.empty((0, 1), np.float32)])
        self._counts = (self._hits != NOTHING).sum(axis=1)

    def result(self, text: str) -> SearchResult:
        """Return the hits of a text."""
        place = self._places[text]
        count = int(self._counts[place])
        return SearchResult(
            tuple(self._hits[place, :count].tolist()),
            tuple(self._scores[place, :count].tolist()),
            exhausted=self._is_all or count < self._depth,
            is_empty_query=self._is_empty[place],
        )


def _steps(
    users: Sequence[int], texts: Sequence[Sequence[str]], most_texts: int
) -> Iterator[list[int]]:
    """Yield users whose texts together are about as many as fit."""
    step: list[int] = []
    count = 0
    for user in users:
        step.append(user)
        count += len(texts[user])
        if count >= most_texts:
            yield step
            step, count = [], 0
    if step:
        yield step
