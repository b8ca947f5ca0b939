"""The user's own newest titles as the queries: generated queries must beat these first."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gpt4rec_es.baselines.scored import check_k
from gpt4rec_es.errors import UsageError
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.ranking.merge import QueryHits, merge_hits
from gpt4rec_es.records import SearchResult
from gpt4rec_es.retrieval.body import MAX_DEPTH

# Searches go this deep, or twice, four times ... as deep for users who bought more: a merge walks
# at most past k items and those that were bought.
_DEPTH = 64


class LastTitles:
    """Searches for the newest titles and merges as generated queries are merged, newest first."""

    def __init__(self, retriever: Retriever, titles: Mapping[int, str], count: int) -> None:
        """Take the ``titles`` by item number, and how many of the newest become queries.

        Raises:
            UsageError: ``count`` is below 1.
        """
        if count < 1:
            raise UsageError(f"The number of titles is {count}.", "Use at least the last title.")
        self._retriever, self._titles, self._count = retriever, titles, count

    def recommend(self, histories: Sequence[Sequence[int]], k: int) -> list[list[int]]:
        """Return ``k`` items per history: k/m from each of its m newest titles, then backfill.

        Raises:
            UsageError: ``k`` is below 1.
            DependencyError: a search could not be answered.
        """
        check_k(k)
        by_depth: dict[int, list[int]] = defaultdict(list)
        for number, history in enumerate(histories):
            by_depth[_depth(k + len(set(history)))].append(number)
        lists: list[list[int]] = [[] for _ in histories]
        for depth, numbers in sorted(by_depth.items()):
            queries = {number: self._queries(histories[number]) for number in numbers}
            found = self._search(queries.values(), depth)
            for number in numbers:
                results = [found[text] for text in queries[number]]
                lists[number] = _merge(results, k, histories[number])
        return lists

    def _queries(self, history: Sequence[int]) -> list[str]:
        """Return the newest titles, newest first, each once."""
        titles = [self._titles[item] for item in reversed(history) if self._titles.get(item)]
        return list(dict.fromkeys(titles))[: self._count]

    def _search(self, queries: Iterable[Sequence[str]], depth: int) -> dict[str, SearchResult]:
        texts = list(dict.fromkeys(text for several in queries for text in several))
        # Nothing is searched deeper: for the merge, these hits are all there are.
        results = (replace(r, exhausted=True) for r in self._retriever.search(texts, depth))
        return dict(zip(texts, results, strict=True))


def _merge(results: Sequence[SearchResult], k: int, history: Sequence[int]) -> list[int]:
    hits = [QueryHits(rank, result) for rank, result in enumerate(results, start=1)]
    return [pick[0] for pick in merge_hits(hits, k, frozenset(history)).picks]


def _depth(needed: int) -> int:
    depth = _DEPTH
    while depth < needed:
        depth *= 2
    return min(depth, MAX_DEPTH)
