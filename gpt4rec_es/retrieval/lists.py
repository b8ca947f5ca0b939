"""Lists from query texts by any retriever, without a database: for baselines and measurements.

The night makes the same lists by the same merge; it stores its searches and goes deeper only where
it must, which is not worth it here.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from gpt4rec_es.protocols import Retriever
from gpt4rec_es.ranking.merge import QueryHits, merge_hits
from gpt4rec_es.records import SearchResult
from gpt4rec_es.retrieval.body import MAX_DEPTH

_SHALLOWEST = 16


def merged_lists(
    retriever: Retriever,
    queries: Sequence[Sequence[str]],
    bought: Sequence[Collection[int]],
    k: int,
) -> list[list[int]]:
    """Return at most ``k`` items per user, from the hits of its queries (best first) alone.

    Raises:
        UsageError: ``k`` is below 1.
        DependencyError: a search could not be answered.
    """
    lists: list[list[int]] = [[] for _ in queries]
    for depth, users in by_depth(bought, k).items():
        texts = list(dict.fromkeys(text for user in users for text in queries[user]))
        found = dict(zip(texts, retriever.search(texts, depth), strict=True))
        for user in users:
            results = [found[text] for text in queries[user]]
            lists[user] = merged_list(results, k, bought[user])
    return lists


def merged_list(results: Sequence[SearchResult], k: int, bought: Collection[int]) -> list[int]:
    """Return at most ``k`` items from one user's results, taken to be all there are."""
    hits = [
        QueryHits(rank, replace(result, exhausted=True))
        for rank, result in enumerate(results, start=1)
    ]
    return [pick[0] for pick in merge_hits(hits, k, frozenset(bought)).picks]


def by_depth(bought: Sequence[Collection[int]], k: int) -> dict[int, list[int]]:
    """Return users by a depth that is enough: a merge walks past k items and those bought.

    Depths are few, so that users share searches.
    """
    found: dict[int, list[int]] = defaultdict(list)
    for user, items in enumerate(bought):
        depth = _SHALLOWEST
        while depth < k + len(set(items)):
            depth *= 2
        found[min(depth, MAX_DEPTH)].append(user)
    return dict(sorted(found.items()))
