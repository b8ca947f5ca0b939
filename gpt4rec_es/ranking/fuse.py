"""Fuse one user's list from several sources: generated queries, co-purchases, history titles.

The ranking of each source does not depend on the search depth, and fusion combines complete
rankings, so a fused list equals that of unlimited depth. Pure: a night calls it once per user.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import nlargest
from operator import itemgetter

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.features import NO_BUYERS, Buyers
from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.outcome import Merge, Pick, QueryHits, Removed
from gpt4rec_es.ranking.pinned import NO_PINS, choose_pins, with_promotions
from gpt4rec_es.ranking.promotions import NO_PROMOTIONS, Promotions
from gpt4rec_es.ranking.rankings import rank_sources
from gpt4rec_es.ranking.rules import ListFilter
from gpt4rec_es.ranking.scoring import Purchase, Ranking
from gpt4rec_es.ranking.vectors import Scorer
from gpt4rec_es.records import SearchResult, Source


def fuse_sources(
    queries: Sequence[QueryHits],
    purchases: Sequence[Purchase],
    k: int,
    fusion: Fusion,
    bought: Collection[int] = frozenset(),
    *,
    last_title: SearchResult | None = None,
    popular: Sequence[int] = (),
    list_filter: ListFilter | None = None,
    keep_removed: bool = False,
    buyers: Buyers = NO_BUYERS,
    n_bought: int | None = None,
    promotions: Promotions = NO_PROMOTIONS,
    scorer: Scorer | None = None,
) -> Merge:
    """Return the list of ``k`` items by the sources of ``fusion``; purchases are newest first.

    Within a source an item's value is the weighted mean over its evidence: a hit's score as a
    fraction of the best hit's (queries weighted by rank, titles by age), or the similarity of a
    neighbour (weighted by age). Only the first hits of a query (``fusion.query_hits``) or title
    (``candidates``) count, so a deeper search changes no value. Fusion "scores" orders by the
    weighted sum of values, "ranks" by the weighted sum of 1 / (rank_constant + place), where
    queries are ranked by ``merge_hits``, "learned" by features times coefficients, for which
    ``buyers`` and the number of all bought items are needed (None: that of ``purchases``), and
    ``scorer`` for a re-ranker. Ties: the earlier source, then its better query or title, then the
    better hit.

    Remaining places are filled as by ``merge_hits``: deeper hits of queries, the last title,
    popular items. A source of weight 0 adds nothing, but queries still fill. Items refused by
    ``list_filter`` are skipped in rankings and list. With ``keep_removed``, ``contributions`` has
    the part of each source in each fused score, and that of a boost if there
    are boosts.

    Boosts of ``promotions`` move candidates up, see ``Promotions.lift``; its pins come first, and
    the other places are those of a shorter list without their items.

    Raises:
        UsageError: k is below 1.
    """
    if k < 1:
        raise UsageError(f"k is {k}.", "Ask for at least 1 item.")
    rankings = rank_sources(
        queries,
        purchases,
        k,
        fusion,
        bought,
        list_filter=list_filter,
        buyers=buyers,
        n_bought=n_bought,
        scorer=scorer,
    )
    n_queries = sum(not q.result.is_empty_query for q in queries)
    if deeper := _needs_deeper(rankings, n_queries):
        return deeper
    scores = add_up(rankings)
    fused, moved = promotions.lift(scores)
    pins = NO_PINS
    if promotions.pins:
        ranked = sorted(fused, key=fused.__getitem__, reverse=True)
        pins = choose_pins(promotions, ranked, bought, list_filter, k)
        fused = {item_no: score for item_no, score in fused.items() if item_no not in pins.items}
    pinned = pins.items
    taken = {*bought, *pinned} if pinned else bought
    best = _best(fused, k - len(pinned), list_filter)
    picks = [_pick(item_no, fused[item_no], rankings) for item_no in best]
    picks = _with_ranks_before(picks, rankings)
    merge = _fill(picks, queries, k - len(pinned), taken, last_title, popular, list_filter)
    if not merge.is_complete:
        return merge
    if promotions:
        merge = with_promotions(merge, promotions, pins, moved)
    if not keep_removed:
        return merge
    counted = fusion.candidates if fusion.method == "ranks" else fusion.query_hits
    passed_over = _removed(queries, counted, bought, merge.ruled_out)
    parts = [contributions_of(item_no, rankings) for item_no in best]
    if promotions.boosts:
        up = [fused[item_no] - scores[item_no] for item_no in best]
        parts = [(*part, more) for part, more in zip(parts, up, strict=True)]
    contributions = (*[()] * len(pinned), *parts)
    return replace(merge, contributions=contributions, removed=tuple(passed_over))


def contributions_of(item_no: int, rankings: Sequence[tuple[float, Ranking]]) -> tuple[float, ...]:
    """Return the part of each ranking in the fused score of an item."""
    return tuple(weight * ranking.values.get(item_no, 0.0) for weight, ranking in rankings)


def _needs_deeper(rankings: Sequence[tuple[float, Ranking]], n_queries: int) -> Merge | None:
    deeper = {ranking.source: ranking.needs_deeper for _, ranking in rankings}
    queries = deeper.get(Source.QUERIES, ())
    titles = deeper.get(Source.HISTORY_TITLES, ())
    if not queries and not titles:
        return None
    return Merge((), n_queries, 0, None, queries, needs_deeper_titles=titles)


def add_up(rankings: Sequence[tuple[float, Ranking]]) -> dict[int, float]:
    """Return item number -> fused score of all candidates, in the order that decides ties."""
    fused: dict[int, float] = {}
    for weight, ranking in rankings:
        for item_no, value in ranking.values.items():
            fused[item_no] = fused.get(item_no, 0.0) + weight * value
    return fused


def _best(fused: dict[int, float], k: int, list_filter: ListFilter | None) -> list[int]:
    """Return the allowed items with the highest sums; ties keep insertion order."""
    if list_filter is None:
        return nlargest(k, fused, key=fused.__getitem__)
    best: list[int] = []
    for item_no in sorted(fused, key=fused.__getitem__, reverse=True):
        if len(best) == k:
            break
        if not list_filter.refuses(item_no):
            list_filter.take(item_no)
            best.append(item_no)
    return best


def _pick(item_no: int, fused: float, rankings: Sequence[tuple[float, Ranking]]) -> Pick:
    """Return the row of an item, with the reason of the source that adds most to its score."""
    found_by = [
        (weight * ranking.values.get(item_no, 0.0), ranking.source, ranking.reasons[item_no])
        for weight, ranking in rankings
        if ranking.source is not None and item_no in ranking.reasons
    ]
    _, source, reason = max(found_by, key=itemgetter(0))
    query_rank, hit_rank, score, from_item_no = reason
    return Pick(item_no, source, query_rank, hit_rank, score, from_item_no, fused)


def _with_ranks_before(picks: list[Pick], rankings: Sequence[tuple[float, Ranking]]) -> list[Pick]:
    """Return picks with the re-ranker's score, and the rank that they would have without it."""
    scores: dict[int, float] = next((r.scores for _, r in rankings if r.scores), {})
    if not scores:
        return picks
    of_reranker = (None, Source.SEQUENCE)
    before = add_up([pair for pair in rankings if pair[1].source not in of_reranker])
    order = sorted(before, key=before.__getitem__, reverse=True)
    ranks = {item_no: rank for rank, item_no in enumerate(order, start=1)}
    return [
        pick._replace(merge_rank=ranks[pick.item_no], rerank_score=scores[pick.item_no])
        for pick in picks
    ]


def _fill(
    picks: list[Pick],
    queries: Sequence[QueryHits],
    k: int,
    bought: Collection[int],
    last_title: SearchResult | None,
    popular: Sequence[int],
    list_filter: ListFilter | None,
) -> Merge:
    """Return the list with its remaining places filled as by ``merge_hits``."""
    n_queries = sum(not q.result.is_empty_query for q in queries)
    removed = list_filter.removed if list_filter else {}
    if len(picks) == k:
        return Merge(tuple(picks), n_queries, k, None, ruled_out=removed)
    taken = {*bought, *(pick.item_no for pick in picks)}
    rest = merge_hits(
        queries,
        k - len(picks),
        taken,
        last_title=last_title,
        popular=popular,
        list_filter=list_filter,
    )
    if not rest.is_complete:
        return rest
    picks += [
        pick._replace(source=Source.BACKFILL) if pick.source is Source.QUERIES else pick
        for pick in rest.picks
    ]
    n_found = len(picks) - len(rest.picks) + rest.n_found
    reason = "exhausted_sources" if rest.short_reason and n_found else rest.short_reason
    return Merge(tuple(picks), n_queries, n_found, reason, ruled_out=removed)


def _removed(
    queries: Sequence[QueryHits],
    counted: int,
    bought: Collection[int],
    ruled_out: Mapping[int, str],
) -> Iterator[Removed]:
    for query in queries:
        for place, item_no in enumerate(query.result.item_nos[:counted], start=1):
            reason = "bought" if item_no in bought else ruled_out.get(item_no)
            if reason is not None:
                yield Removed(query.query_rank, place, item_no, reason)
