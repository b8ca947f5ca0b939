"""Where one item was found, and how far a list used the hits that it was found among. Pure.

The places are those that ``merge_hits`` and ``fuse_sources`` look at; nothing is ranked here.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gpt4rec_es.options.lists import (
    CO_PURCHASE,
    HISTORY_TITLES,
    QUERIES,
    QUERY_VECTORS,
    TITLE_VECTORS,
    Fusion,
)
from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.outcome import Merge, Pick, QueryHits, Removed
from gpt4rec_es.ranking.rules import ListFilter
from gpt4rec_es.ranking.scoring import Purchase, cosine
from gpt4rec_es.ranking.vectors import NO_BEST, BestItems
from gpt4rec_es.records import SearchResult, Source


@dataclass(frozen=True, slots=True)
class Found:
    """One place of an item among the hits of a source, or popular items.

    hit_rank: the place, 1-based. used_hits: number of the first places there that the list used;
    beyond them an item does not count. score: BM25 score, similarity (by vectors: the cosine) or
    score of the re-ranker.
    query_rank and from_item_no as in ``Pick``.
    """

    source: Source
    hit_rank: int
    used_hits: int
    score: float | None = None
    query_rank: int | None = None
    from_item_no: int | None = None

    @property
    def is_used(self) -> bool:
        """Whether the list used this place."""
        return self.hit_rank <= self.used_hits


def find_item(
    item_no: int,
    queries: Sequence[QueryHits],
    purchases: Sequence[Purchase],
    fusion: Fusion,
    used: Mapping[int, int],
    best: BestItems = NO_BEST,
) -> Iterator[Found]:
    """Yield the places at which queries, titles, neighbours and a sequence found the item.

    used: see ``used_hits``. purchases: newest first, as of ``fuse_sources``. best: all items that
    the list may have by the user's vector, if they are a source.
    """
    counts = {name for name, weight in fusion.weights if weight > 0}
    for query in queries:
        rank = query.query_rank
        if place := _place(item_no, query.result.item_nos):
            score = query.result.scores[place - 1]
            yield Found(Source.QUERIES, place, used.get(rank, 0), score, rank)
        if query.near is not None and (place := _place(item_no, query.near.item_nos)):
            most = fusion.query_hits if QUERY_VECTORS in counts else 0
            score = cosine(query.near.scores[place - 1])
            yield Found(Source.QUERY_VECTORS, place, most, score, rank)
    for one in purchases[: fusion.history]:
        if one.title is not None and (place := _place(item_no, one.title.item_nos)):
            most = fusion.candidates if HISTORY_TITLES in counts else 0
            score = one.title.scores[place - 1]
            yield Found(Source.HISTORY_TITLES, place, most, score, None, one.item_no)
        if one.near is not None and (place := _place(item_no, one.near.item_nos)):
            most = fusion.candidates if TITLE_VECTORS in counts else 0
            score = cosine(one.near.scores[place - 1])
            yield Found(Source.TITLE_VECTORS, place, most, score, None, one.item_no)
        if place := _place(item_no, one.neighbours.item_nos):
            most = len(one.neighbours.item_nos) if CO_PURCHASE in counts else 0
            score = one.neighbours.similarities[place - 1]
            yield Found(Source.CO_PURCHASE, place, most, score, None, one.item_no)
    if place := _place(item_no, best.item_nos.tolist()):
        score = float(best.scores[place - 1])
        yield Found(Source.SEQUENCE, place, fusion.candidates, score, None, best.after)


def find_fallback(
    item_no: int,
    last_title: SearchResult | None,
    popular: Sequence[int],
    popular_rank: int | None,
    merge: Merge,
) -> Iterator[Found]:
    """Yield the places of the item among the fallbacks, which only short lists use.

    popular: the popular items that the merge was given, popular_rank: the item's rank among all.
    """
    if last_title is not None and (place := _place(item_no, last_title.item_nos)):
        last = [p.hit_rank or 0 for p in merge.picks if p.source is Source.LAST_TITLE]
        score = last_title.scores[place - 1]
        yield Found(Source.LAST_TITLE, place, max(last, default=0), score)
    if popular_rank is not None:
        shown = [p.item_no for p in merge.picks if p.source is Source.POPULAR]
        yield Found(Source.POPULAR, popular_rank, _place(shown[-1], popular) if shown else 0)


def used_hits(
    queries: Sequence[QueryHits],
    k: int,
    fusion: Fusion,
    bought: Collection[int],
    list_filter: ListFilter | None,
    merge: Merge,
) -> dict[int, int]:
    """Return query rank -> number of its first hits that the list ``merge`` used.

    By quotas a query's hits are used until its places are filled, by scores ``fusion.query_hits``,
    and further ones where a list is short. merge: made with ``keep_removed``. list_filter: a new
    one.
    """
    if fusion.is_plain:
        return _last_seen((*merge.picks, *merge.removed))
    used: dict[int, int] = {}
    if dict(fusion.weights).get(QUERIES, 0.0) > 0:
        used = {query.query_rank: fusion.query_hits for query in queries}
        if fusion.method == "ranks":
            uncapped = list_filter.without_cap() if list_filter else None
            most = fusion.candidates
            quotas = merge_hits(
                queries, k, bought, list_filter=uncapped, places=most, keep_removed=True
            )
            used = _last_seen((*quotas.picks, *quotas.removed))
    filled = _last_seen(pick for pick in merge.picks if pick.source is Source.BACKFILL)
    return {rank: max(used.get(rank, 0), filled.get(rank, 0)) for rank in {*used, *filled}}


def _last_seen(taken: Iterable[Pick | Removed]) -> dict[int, int]:
    """Return query rank -> the last of its hits that was taken or skipped."""
    last: dict[int, int] = {}
    for one in taken:
        if one.query_rank is not None and one.hit_rank is not None:
            last[one.query_rank] = max(last.get(one.query_rank, 0), one.hit_rank)
    return last


def _place(item_no: int, item_nos: Sequence[int]) -> int:
    """Return the 1-based place of the item; 0: it is not among them."""
    return item_nos.index(item_no) + 1 if item_no in item_nos else 0
