"""Candidates of a learned fusion and their features, as numpy arrays.

A night and the fit of coefficients (lab.tuning) call ``find_candidates``, so that coefficients are
used on exactly the values that they were fitted on. Pure.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import log1p

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.options.features import FEATURES, POPULARITY, RERANKER
from gpt4rec_es.options.lists import (
    CO_PURCHASE,
    HISTORY_TITLES,
    QUERIES,
    QUERY_VECTORS,
    SEQUENCE,
    TITLE_VECTORS,
    Fusion,
)
from gpt4rec_es.ranking.feature_values import FEATURE_VALUES
from gpt4rec_es.ranking.outcome import QueryHits
from gpt4rec_es.ranking.rules import ListFilter
from gpt4rec_es.ranking.scoring import (
    Evidence,
    Purchase,
    near_query_evidence,
    near_title_evidence,
    neighbour_evidence,
    query_evidence,
    title_evidence,
)
from gpt4rec_es.ranking.sequences import sequence_evidence, values_of_sequence
from gpt4rec_es.ranking.values import (
    Hits,
    Numbers,
    SourceValues,
    Values,
    flat_hits,
    values_by_item,
)
from gpt4rec_es.ranking.vectors import Scorer

# Similarities are small: 1 buyer of 1,000 in common is the unit.
_PER_THOUSAND = 1000.0
# More purchases make the history of a user no surer.
_MOST_BOUGHT = 200


@dataclass(frozen=True, slots=True)
class Buyers:
    """Number of buyers by item number; an item outside of ``counts`` has none."""

    counts: NDArray[np.int32]

    def of(self, item_nos: Numbers) -> Values:
        """Return the numbers of buyers of these items."""
        if not len(self.counts):
            return np.zeros(len(item_nos))
        known = item_nos < len(self.counts)
        return np.where(known, self.counts[np.where(known, item_nos, 0)], 0).astype(np.float64)


NO_BUYERS = Buyers(np.zeros(0, np.int32))


@dataclass(frozen=True, slots=True)
class Candidates:
    """One user's candidates, in the order that decides ties.

    features: [items, features], columns as in ``FEATURES``. contexts: by name, as in ``CONTEXTS``.
    sources: values and hits by source.
    """

    item_nos: Numbers
    features: Values
    contexts: Mapping[str, float]
    sources: Mapping[str, tuple[SourceValues, Hits]]


@dataclass(frozen=True, slots=True)
class _Found:
    """Values of the candidates, [items], by source; zero where a source did not find an item."""

    values: Mapping[str, Mapping[str, Values]]
    buyers: Values
    rerank: Values

    def of(self, source: str, name: str) -> Values:
        """Return a value of a source."""
        return self.values[source][name]

    def log(self, name: str) -> Values:
        """Return the logarithm of 1 + 1000 x, x being a co-purchase value."""
        return np.log1p(_PER_THOUSAND * self.of(CO_PURCHASE, name))

    def share(self) -> Values:
        """Return the recent similarity as a fraction of the highest of all candidates."""
        recent = self.of(CO_PURCHASE, "recent")
        return recent / (recent.max(initial=0.0) or 1.0)


_VALUES = ("newest", "recent", "mean", "best", "likely", "count")


def find_candidates(
    queries: Sequence[QueryHits],
    purchases: Sequence[Purchase],
    fusion: Fusion,
    bought: Collection[int],
    buyers: Buyers,
    n_bought: int,
    list_filter: ListFilter | None = None,
    scorer: Scorer | None = None,
) -> Candidates:
    """Return the best ``fusion.candidates`` items of each source of ``fusion``, with features.

    purchases: newest first; n_bought: number of all bought items. Items of ``bought`` and items
    blocked by ``list_filter`` are left out. scorer: None: no re-ranker knows the user. Order: by
    source, then its weighted value, then its first hit.
    """
    newest = purchases[: fusion.history]
    makers: dict[str, Callable[[], list[Evidence]]] = {
        QUERIES: lambda: query_evidence(queries, fusion),
        CO_PURCHASE: lambda: neighbour_evidence(newest, fusion),
        HISTORY_TITLES: lambda: title_evidence(newest, fusion),
        QUERY_VECTORS: lambda: near_query_evidence(queries, fusion),
        TITLE_VECTORS: lambda: near_title_evidence(newest, fusion),
        SEQUENCE: lambda: [] if scorer is None else [sequence_evidence(scorer.best, fusion)],
    }
    sources: dict[str, tuple[SourceValues, Hits]] = {}
    for name, weight in fusion.weights:
        hits = flat_hits(makers[name]() if weight > 0 else [])
        values = values_by_item(hits)
        sources[name] = values.chosen(_allowed(values.item_nos, bought, list_filter)), hits
    tops = [values.top(fusion.candidates) for values, _ in sources.values()]
    several = np.concatenate(tops) if tops else np.zeros(0, np.int64)
    _, first = np.unique(several, return_index=True)
    item_nos = several[np.sort(first)]
    own = {name: _aligned(sources.get(name), item_nos) for name in makers if name != SEQUENCE}
    own[SEQUENCE] = values_of_sequence(sources.get(SEQUENCE), item_nos)
    found = _Found(own, buyers.of(item_nos), centred(scorer, item_nos))
    contexts = {
        "history": log1p(min(n_bought, _MOST_BOUGHT)),
        "similarity": float(found.log("recent").max(initial=0.0)),
        "buyers": log1p(buyers.of(np.array([p.item_no for p in newest[:1]], np.int64)).sum()),
    }
    columns = [FEATURE_VALUES[name](found) for name in FEATURES]
    return Candidates(item_nos, np.stack(columns, axis=1), contexts, sources)


def _allowed(
    item_nos: Numbers, bought: Collection[int], list_filter: ListFilter | None
) -> NDArray[np.bool_]:
    allowed = ~np.isin(item_nos, np.fromiter(bought, np.int64, len(bought)))
    if list_filter is not None:
        blocked = map(list_filter.blocks, item_nos[allowed].tolist())
        allowed[allowed] = ~np.fromiter(blocked, np.bool_, int(allowed.sum()))
    return allowed


def centred(scorer: Scorer | None, item_nos: Numbers) -> Values:
    """Return a re-ranker's scores minus their mean; an item without a score counts as the mean."""
    if scorer is None:
        return np.zeros(len(item_nos))
    scores = scorer(item_nos)
    known = ~np.isnan(scores)
    mean = scores[known].mean() if known.any() else 0.0
    return np.where(known, scores - mean, 0.0)


def _aligned(source: tuple[SourceValues, Hits] | None, item_nos: Numbers) -> dict[str, Values]:
    """Return a source's values of these items, 0 where it did not find one."""
    if source is None or not len(source[0].item_nos):
        return dict.fromkeys(_VALUES, np.zeros(len(item_nos)))
    values, _ = source
    places, found = values.places(item_nos)
    return {name: np.where(found, getattr(values, name)[places], 0.0) for name in _VALUES}


def contributions(candidates: Candidates, fusion: Fusion) -> dict[str, Values]:
    """Return source (or what counts beside them) -> its part in the score of each candidate.

    A feature of two sources counts half to each.
    """
    names = (*candidates.sources, POPULARITY, RERANKER)
    parts = {name: np.zeros(len(candidates.item_nos)) for name in names}
    columns = {name: column for column, name in enumerate(FEATURES)}
    for name, coefficient in fusion.coefficients:
        feature, _, context = name.partition("*")
        factor = coefficient * (candidates.contexts[context] if context else 1.0)
        sources = FEATURES[feature].sources
        for source in sources:
            if source in parts:
                share = factor / len(sources) * candidates.features[:, columns[feature]]
                parts[source] = parts[source] + share
    return parts
