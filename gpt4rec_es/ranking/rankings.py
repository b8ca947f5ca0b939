"""Rankings of the sources of one user's list, which ``fuse`` adds up and explanations look into."""

from collections.abc import Collection, Sequence
from heapq import nlargest

from gpt4rec_es.options.lists import HISTORY_TITLES, QUERIES, QUERY_VECTORS, TITLE_VECTORS, Fusion
from gpt4rec_es.ranking.features import NO_BUYERS, Buyers
from gpt4rec_es.ranking.learned import learned_rankings
from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.outcome import QueryHits
from gpt4rec_es.ranking.rules import ListFilter
from gpt4rec_es.ranking.scoring import (
    Purchase,
    Ranking,
    lacking,
    near_query_evidence,
    near_title_evidence,
    neighbour_evidence,
    query_evidence,
    title_evidence,
    weigh,
)
from gpt4rec_es.ranking.vectors import Scorer
from gpt4rec_es.records import Source


def rank_sources(
    queries: Sequence[QueryHits],
    purchases: Sequence[Purchase],
    k: int,
    fusion: Fusion,
    bought: Collection[int] = frozenset(),
    *,
    list_filter: ListFilter | None = None,
    buyers: Buyers = NO_BUYERS,
    n_bought: int | None = None,
    scorer: Scorer | None = None,
) -> list[tuple[float, Ranking]]:
    """Return (weight, ranking) of each of ``fusion.parts``; arguments as of ``fuse_sources``.

    If a ranking needs deeper hits, it is not complete.
    """
    if fusion.method == "learned":
        n_bought = len(purchases) if n_bought is None else n_bought
        parts = learned_rankings(
            queries, purchases, fusion, bought, buyers, n_bought, list_filter, scorer
        )
        return [(1.0, ranking) for ranking in parts]
    return [
        (weight, _rank(name, queries, purchases, k, fusion, bought, list_filter))
        for name, weight in fusion.weights
        if weight > 0
    ]


def _rank(
    name: str,
    queries: Sequence[QueryHits],
    purchases: Sequence[Purchase],
    k: int,
    fusion: Fusion,
    bought: Collection[int],
    list_filter: ListFilter | None,
) -> Ranking:
    newest = purchases[: fusion.history]
    if name == QUERIES and fusion.method == "ranks":
        return _rank_by_quotas(queries, k, fusion, bought, list_filter)
    if name == QUERIES:
        ranking = weigh(Source.QUERIES, query_evidence(queries, fusion), bought, list_filter)
        known, most = [(q.query_rank, q.result) for q in queries], fusion.query_hits
    elif name == HISTORY_TITLES:
        ranking = weigh(Source.HISTORY_TITLES, title_evidence(newest, fusion), bought, list_filter)
        known = [(p.item_no, p.title) for p in newest if p.title is not None]
        most = fusion.candidates
    else:
        evidence = {
            QUERY_VECTORS: lambda: near_query_evidence(queries, fusion),
            TITLE_VECTORS: lambda: near_title_evidence(newest, fusion),
        }.get(name, lambda: neighbour_evidence(newest, fusion))()
        ranking = weigh(Source(name), evidence, bought, list_filter)
        known, most = [], 0
    ranking.needs_deeper = lacking(known, most)
    if fusion.method == "ranks":
        first = nlargest(max(k, fusion.candidates), ranking.values, key=ranking.values.__getitem__)
        ranking.values = _by_place(first, fusion)
    return ranking


def _rank_by_quotas(
    queries: Sequence[QueryHits],
    k: int,
    fusion: Fusion,
    bought: Collection[int],
    list_filter: ListFilter | None,
) -> Ranking:
    uncapped = list_filter.without_cap() if list_filter else None
    merge = merge_hits(queries, k, bought, list_filter=uncapped, places=fusion.candidates)
    return Ranking(
        Source.QUERIES,
        _by_place([pick.item_no for pick in merge.picks], fusion),
        {p.item_no: (p.query_rank, p.hit_rank, p.score, None) for p in merge.picks},
        merge.needs_deeper,
    )


def _by_place(item_nos: Sequence[int], fusion: Fusion) -> dict[int, float]:
    return {
        item_no: 1 / (fusion.rank_constant + place)
        for place, item_no in enumerate(item_nos, start=1)
    }
