"""Expected lists of queries: user by user, each query searched separately and deeply.

Code that makes many lists at once is compared with these; both share only the merge.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from gpt4rec_es.protocols import Retriever
from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.outcome import QueryHits

_DEPTH = 1000


def merged_lists(
    retriever: Retriever,
    queries: Sequence[Sequence[str]],
    bought: Sequence[Collection[int]],
    k: int,
) -> list[list[int]]:
    """Return at most ``k`` items per user, from the hits of its queries (best first) alone."""
    return [
        merged_list(retriever, texts, items, k)
        for texts, items in zip(queries, bought, strict=True)
    ]


def merged_list(
    retriever: Retriever, queries: Sequence[str], bought: Collection[int], k: int
) -> list[int]:
    hits = [
        QueryHits(rank, replace(result, exhausted=True))
        for rank, text in enumerate(queries, start=1)
        for result in retriever.search([text], _DEPTH)
    ]
    return [pick.item_no for pick in merge_hits(hits, k, frozenset(bought)).picks]
