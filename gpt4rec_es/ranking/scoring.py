"""Evidence for items from queries, titles and neighbours, and the ranking of one source.

fuse.py combines rankings to a list. Pure.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.outcome import QueryHits
from gpt4rec_es.ranking.rules import ListFilter
from gpt4rec_es.records import NO_NEIGHBOURS, Neighbours, SearchResult, Source

# One number, or an array of them.
Number = TypeVar("Number", float, NDArray[np.float64])
# query_rank, hit_rank, score, from_item_no: the strongest evidence for an item within a source
Reason: TypeAlias = tuple[int | None, int | None, float | None, int | None]


@dataclass(frozen=True, slots=True)
class Purchase:
    """A bought item with its neighbours.

    title: hits of its title, near: its hits by vectors; None: not searched.
    """

    item_no: int
    neighbours: Neighbours = NO_NEIGHBOURS
    title: SearchResult | None = None
    near: SearchResult | None = None


@dataclass(slots=True)
class Ranking:
    """Ranking of one source: a value in 0..1 and a reason per item, or a need for deeper hits.

    source: None: a re-ranker, which finds no item; scores: only of that, its score per item.
    """

    source: Source | None
    values: dict[int, float] = field(default_factory=dict)
    reasons: dict[int, Reason] = field(default_factory=dict)
    needs_deeper: tuple[int, ...] = ()
    scores: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One list of hits as evidence for its items.

    base, unit: the score that has the value 0, and what is above it at the value 1. likelihood: of
    the query that found them.
    """

    weight: float
    unit: float
    item_nos: Sequence[int]
    scores: Sequence[float]
    query_rank: int | None = None
    from_item_no: int | None = None
    likelihood: float = 1.0
    base: float = 0.0


_NOTHING = SearchResult((), (), exhausted=True)


def lacking(known: Sequence[tuple[int, SearchResult]], most: int) -> tuple[int, ...]:
    """Return the numbers of results with fewer than ``most`` hits while the index has more."""
    return tuple(of for of, result in known if len(result.item_nos) < most and not result.exhausted)


def query_evidence(queries: Sequence[QueryHits], fusion: Fusion) -> list[Evidence]:
    """Return the evidence of queries with a token left after analysis, weights falling by rank."""
    active = [query for query in queries if not query.result.is_empty_query]
    return [
        _hit_evidence(
            query.result,
            fusion.query_decay**place,
            fusion.query_hits,
            query_rank=query.query_rank,
            likelihood=query.likelihood,
        )
        for place, query in enumerate(active)
    ]


def title_evidence(newest: Sequence[Purchase], fusion: Fusion) -> list[Evidence]:
    """Return the evidence of bought titles, newest first; titles without hits keep their weight."""
    return [
        _hit_evidence(
            p.title or _NOTHING,
            fusion.history_decay**age,
            fusion.candidates,
            from_item_no=p.item_no,
        )
        for age, p in enumerate(newest)
    ]


def _hit_evidence(
    result: SearchResult,
    weight: float,
    most: int,
    *,
    query_rank: int | None = None,
    from_item_no: int | None = None,
    likelihood: float = 1.0,
) -> Evidence:
    item_nos = result.item_nos[:most]
    unit = (result.scores[0] if item_nos else 0) or 1.0
    return Evidence(weight, unit, item_nos, result.scores, query_rank, from_item_no, likelihood)


# Value of the last hit by vectors that counts: above 0, that of items that were not found.
_EDGE = 0.01


def cosine(score: Number) -> Number:
    """Return the cosine similarity of a hit by vectors from its score, (1 + cosine) / 2."""
    return 2.0 * score - 1.0


def base_and_unit(last: Number) -> tuple[Number, Number]:
    """Return base and unit of hits by vectors, see ``Evidence``; last: lowest cosine that counts.

    Any two titles are somewhat similar, and how much so depends on the text. So a value says how
    much of the way to the same title an item is nearer than the last of the nearest.
    """
    base = last - _EDGE
    return base, 1.0 - base


def near_query_evidence(queries: Sequence[QueryHits], fusion: Fusion) -> list[Evidence]:
    """Return the evidence of queries searched by vectors, as ``query_evidence`` does."""
    found = [(q.query_rank, q.near) for q in queries if q.near and not q.near.is_empty_query]
    return [
        _near_evidence(near, fusion, fusion.query_decay**place, fusion.query_hits, query_rank=rank)
        for place, (rank, near) in enumerate(found)
    ]


def near_title_evidence(newest: Sequence[Purchase], fusion: Fusion) -> list[Evidence]:
    """Return the evidence of bought titles searched by vectors, as ``title_evidence`` does."""
    return [
        _near_evidence(
            p.near or _NOTHING,
            fusion,
            fusion.history_decay**age,
            fusion.candidates,
            from_item_no=p.item_no,
        )
        for age, p in enumerate(newest)
    ]


def _near_evidence(
    result: SearchResult,
    fusion: Fusion,
    weight: float,
    most: int,
    *,
    query_rank: int | None = None,
    from_item_no: int | None = None,
) -> Evidence:
    scores = [cosine(score) for score in result.scores[: fusion.candidates]]
    base, unit = base_and_unit(scores[-1] if scores else 0.0)
    item_nos = result.item_nos[: min(most, fusion.candidates)]
    return Evidence(weight, unit, item_nos, scores, query_rank, from_item_no, base=base)


def neighbour_evidence(newest: Sequence[Purchase], fusion: Fusion) -> list[Evidence]:
    """Return the evidence of purchases' neighbours, newest first."""
    return [
        Evidence(
            fusion.history_decay**age,
            1.0,
            purchase.neighbours.item_nos,
            purchase.neighbours.similarities,
            from_item_no=purchase.item_no,
        )
        for age, purchase in enumerate(newest)
    ]


def weigh(
    source: Source,
    evidence: Sequence[Evidence],
    bought: Collection[int],
    list_filter: ListFilter | None,
) -> Ranking:
    """Return the weighted mean over ``evidence`` of each item neither bought nor blocked."""
    ranking = Ranking(source)
    values, reasons = ranking.values, ranking.reasons
    strongest: dict[int, float] = {}
    total = sum(one.weight for one in evidence)
    for one in evidence:
        factor = one.weight / (total * one.unit)
        hits = enumerate(zip(one.item_nos, one.scores, strict=False), start=1)
        for place, (item_no, score) in hits:
            part = factor * (score - one.base)
            if item_no in values:
                values[item_no] += part
            elif item_no in bought or (list_filter and list_filter.blocks(item_no)):
                continue
            else:
                values[item_no] = part
                strongest[item_no] = -1.0
            if part > strongest[item_no]:
                strongest[item_no] = part
                reasons[item_no] = (one.query_rank, place, score, one.from_item_no)
    return ranking
