"""Rankings of a learned fusion: what each source contributes to the score of each candidate."""

from collections.abc import Collection, Sequence

import numpy as np

from gpt4rec_es.options.features import FEATURES, RERANKER, SOURCES
from gpt4rec_es.options.lists import HISTORY_TITLES, QUERIES, Fusion
from gpt4rec_es.ranking.features import (
    Buyers,
    Candidates,
    contributions,
    find_candidates,
)
from gpt4rec_es.ranking.outcome import QueryHits
from gpt4rec_es.ranking.rules import ListFilter
from gpt4rec_es.ranking.scoring import Purchase, Ranking, Reason, lacking
from gpt4rec_es.ranking.values import Values
from gpt4rec_es.ranking.vectors import Scorer
from gpt4rec_es.records import Source

# Parts are rounded to multiples of this, so that their sums are exact in any order and the last
# digits of a processor's logarithms decide nothing.
_GRAIN = 2.0**-20
# Popularity counts as the fallback of that name.
_SOURCE_OF = {**{name: Source(name) for name in SOURCES}, RERANKER: None}


def learned_rankings(
    queries: Sequence[QueryHits],
    purchases: Sequence[Purchase],
    fusion: Fusion,
    bought: Collection[int],
    buyers: Buyers,
    n_bought: int,
    list_filter: ListFilter | None,
    scorer: Scorer | None = None,
) -> list[Ranking]:
    """Return the parts of ``fusion.parts`` in its order; the sum of an item's values is its score.

    The rankings of popularity and re-ranker have no reasons, because these find no item.
    """
    deeper = _needs_deeper(queries, purchases, fusion)
    if any(deeper.values()):
        return [_ranking(name, {}, {}, deeper.get(name, ())) for name in fusion.parts]
    candidates = find_candidates(
        queries, purchases, fusion, bought, buyers, n_bought, list_filter, scorer
    )
    item_nos = candidates.item_nos.tolist()
    parts = contributions(candidates, fusion)
    found = [
        _ranking(
            name,
            dict(zip(item_nos, rounded(parts[name]).tolist(), strict=True)),
            _reasons(candidates, name) if name in SOURCES else {},
        )
        for name in fusion.parts
    ]
    if scorer is not None and fusion.uses_reranker:
        column = candidates.features[:, list(FEATURES).index("rerank")]
        found[-1].scores = dict(zip(item_nos, column.tolist(), strict=True))
    return found


def rounded(part: Values) -> Values:
    """Return a part of scores as multiples of the grain."""
    return np.round(part / _GRAIN) * _GRAIN


def _ranking(
    name: str,
    values: dict[int, float],
    reasons: dict[int, Reason],
    needs_deeper: tuple[int, ...] = (),
) -> Ranking:
    return Ranking(_SOURCE_OF.get(name, Source.POPULAR), values, reasons, needs_deeper)


def _needs_deeper(
    queries: Sequence[QueryHits], purchases: Sequence[Purchase], fusion: Fusion
) -> dict[str, tuple[int, ...]]:
    """Return by source the queries and items whose known hits are fewer than are counted."""
    used = set(fusion.parts)
    titles = purchases[: fusion.history] if HISTORY_TITLES in used else ()
    asked = queries if QUERIES in used else ()
    return {
        QUERIES: lacking([(q.query_rank, q.result) for q in asked], fusion.query_hits),
        HISTORY_TITLES: lacking(
            [(p.item_no, p.title) for p in titles if p.title is not None], fusion.candidates
        ),
    }


def _reasons(candidates: Candidates, name: str) -> dict[int, Reason]:
    """Return the strongest hit of each candidate that the source found."""
    values, hits = candidates.sources[name]
    places, found = values.places(candidates.item_nos)
    chosen = values.reason[places[found]] if found.any() else np.zeros(0, np.int64)
    reasons = {}
    for item_no, of, place, score in zip(
        candidates.item_nos[found].tolist(),
        hits.of[chosen].tolist(),
        hits.places[chosen].tolist(),
        hits.scores[chosen].tolist(),
        strict=True,
    ):
        one = hits.evidence[of]
        reasons[item_no] = (one.query_rank, place + 1, score, one.from_item_no)
    return reasons
