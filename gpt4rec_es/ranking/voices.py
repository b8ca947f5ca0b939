"""What speaks for items: queries, titles and neighbours as voices, weighed into one ranking.

A ranking is one source's; how rankings become a list is not decided here. Pure.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.outcome import QueryHits
from gpt4rec_es.ranking.rules import Screen
from gpt4rec_es.records import NO_NEIGHBOURS, Neighbours, SearchResult, Source

# query_rank, hit_rank, score, from_item_no: what spoke most for an item within a source
Reason: TypeAlias = tuple[int | None, int | None, float | None, int | None]


@dataclass(frozen=True, slots=True)
class Purchase:
    """A bought item with what it may speak for. title: hits of its title; None: none searched."""

    item_no: int
    neighbours: Neighbours = NO_NEIGHBOURS
    title: SearchResult | None = None


@dataclass(slots=True)
class Ranking:
    """What one source says: a value in 0..1 and a reason per item, or that it needs deeper hits."""

    source: Source
    values: dict[int, float] = field(default_factory=dict)
    reasons: dict[int, Reason] = field(default_factory=dict)
    needs_deeper: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Voice:
    """One list of hits that speaks for its items; ``unit`` is the score that counts as 1."""

    weight: float
    unit: float
    item_nos: Sequence[int]
    scores: Sequence[float]
    query_rank: int | None = None
    from_item_no: int | None = None


def query_voices(queries: Sequence[QueryHits], fusion: Fusion) -> list[Voice]:
    """Return the voices of the queries that have a token left, each later one weighing less."""
    active = [query for query in queries if not query.result.is_empty_query]
    return [
        _hit_voice(
            query.result,
            fusion.query_decay**place,
            fusion.query_hits,
            query_rank=query.query_rank,
        )
        for place, query in enumerate(active)
    ]


def title_voices(newest: Sequence[Purchase], fusion: Fusion) -> list[Voice]:
    """Return the voices of purchases' titles, newest first; one without hits still weighs."""
    nothing = SearchResult((), (), exhausted=True)
    return [
        _hit_voice(p.title or nothing, fusion.decay**age, fusion.candidates, from_item_no=p.item_no)
        for age, p in enumerate(newest)
    ]


def _hit_voice(
    result: SearchResult,
    weight: float,
    most: int,
    *,
    query_rank: int | None = None,
    from_item_no: int | None = None,
) -> Voice:
    item_nos = result.item_nos[:most]
    unit = (result.scores[0] if item_nos else 0) or 1.0
    return Voice(weight, unit, item_nos, result.scores, query_rank, from_item_no)


def neighbour_voices(newest: Sequence[Purchase], fusion: Fusion) -> list[Voice]:
    """Return the voices of purchases' neighbours, newest first."""
    return [
        Voice(
            fusion.decay**age,
            1.0,
            purchase.neighbours.item_nos,
            purchase.neighbours.strengths,
            from_item_no=purchase.item_no,
        )
        for age, purchase in enumerate(newest)
    ]


def weigh(
    source: Source, voices: Sequence[Voice], bought: Collection[int], screen: Screen | None
) -> Ranking:
    """Return the weighted mean over ``voices`` for each item that is neither bought nor blocked."""
    ranking = Ranking(source)
    values, reasons = ranking.values, ranking.reasons
    strongest: dict[int, float] = {}
    total = sum(voice.weight for voice in voices)
    for voice in voices:
        factor = voice.weight / (total * voice.unit)
        hits = enumerate(zip(voice.item_nos, voice.scores, strict=False), start=1)
        for place, (item_no, score) in hits:
            part = factor * score
            if item_no in values:
                values[item_no] += part
            elif item_no in bought or (screen and screen.blocks(item_no)):
                continue
            else:
                values[item_no] = part
                strongest[item_no] = -1.0
            if part > strongest[item_no]:
                strongest[item_no] = part
                reasons[item_no] = (voice.query_rank, place, score, voice.from_item_no)
    return ranking
