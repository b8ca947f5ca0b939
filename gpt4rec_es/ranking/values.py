"""Values of one source per item, as numpy arrays: features of a learned fusion are made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.ranking.scoring import Evidence

Values: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SourceValues:
    """The evidence of one source per item, as parallel arrays in order of item number.

    newest: value by the first evidence (newest purchase or best query) alone. recent: mean weighted
    by age or rank. mean: unweighted mean. best: maximum. likely: maximum of the values times the
    likelihood of their query. count: number of purchases or queries that found the item. first:
    index of its first hit among all hits, the tie-break. reason: index of its strongest hit.
    """

    item_nos: Numbers
    newest: Values
    recent: Values
    mean: Values
    best: Values
    likely: Values
    count: Values
    first: Numbers
    reason: Numbers

    def chosen(self, mask: NDArray[np.bool_]) -> "SourceValues":
        """Return the items of ``mask`` only."""
        return SourceValues(*(getattr(self, name)[mask] for name in self.__slots__))

    def top(self, most: int) -> Numbers:
        """Return the ``most`` items of the highest ``recent`` values, ties by the first hit."""
        kept = np.arange(len(self.recent))
        if len(kept) > most:  # a whole sort of thousands of items would take longest
            least = np.partition(self.recent, len(kept) - most)[len(kept) - most]
            kept = np.flatnonzero(self.recent >= least)
        order = np.lexsort((self.first[kept], -self.recent[kept]))
        return self.item_nos[kept[order[:most]]]

    def places(self, item_nos: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
        """Return each item's index here (0 if it has none), and whether it has one."""
        if not len(self.item_nos):
            return np.zeros(len(item_nos), np.int64), np.zeros(len(item_nos), np.bool_)
        places = np.minimum(np.searchsorted(self.item_nos, item_nos), len(self.item_nos) - 1)
        found = self.item_nos[places] == item_nos
        return np.where(found, places, 0), found


class Hits(NamedTuple):
    """All hits of one source in order of its evidence, with the evidence and place of each."""

    evidence: Sequence[Evidence]
    of: Numbers
    places: Numbers
    scores: Values


def flat_hits(evidence: Sequence[Evidence]) -> Hits:
    """Return all hits of ``evidence``, in its order."""
    counts = [min(len(one.item_nos), len(one.scores)) for one in evidence]
    of = np.repeat(np.arange(len(evidence)), counts)
    places = np.arange(len(of)) - np.repeat(np.cumsum(counts, dtype=np.int64) - counts, counts)
    flat = chain.from_iterable(one.scores[:n] for one, n in zip(evidence, counts, strict=True))
    return Hits(evidence, of, places, np.fromiter(flat, np.float64, sum(counts)))


def values_by_item(hits: Hits) -> SourceValues:
    """Return the values per item; sums are in order of the hits."""
    evidence, of = hits.evidence, hits.of
    weights = np.array([one.weight for one in evidence], np.float64)
    units = np.array([one.unit for one in evidence], np.float64)
    bases = np.array([one.base for one in evidence], np.float64)
    flat = chain.from_iterable(one.item_nos[: len(one.scores)] for one in evidence)
    items = np.fromiter(flat, np.int64, len(of))
    values = (hits.scores - bases[of]) / units[of] if len(of) else hits.scores
    weighted = values * (weights / weights.sum())[of] if len(of) else values
    # By item, the strongest hit first; the sort is stable, so equally strong ones keep their order.
    order = np.lexsort((-weighted, items))
    in_order = items[order]
    is_first = np.append(True, in_order[1:] != in_order[:-1])[: len(items)]
    starts = np.flatnonzero(is_first)
    inverse = np.empty(len(items), np.int64)
    inverse[order] = np.cumsum(is_first) - 1
    n = len(starts)
    likely = values * np.array([one.likelihood for one in evidence], np.float64)[of]

    def highest(numbers: Values) -> Values:
        return np.maximum.reduceat(numbers[order], starts) if n else np.zeros(0)

    return SourceValues(
        in_order[starts],
        _sums(inverse, values * (of == 0), n),
        _sums(inverse, weighted, n),
        _sums(inverse, values, n) / max(len(evidence), 1),
        highest(values),
        highest(likely),
        _sums(inverse, np.ones(len(of)), n),
        np.minimum.reduceat(order, starts) if n else starts,
        order[starts],
    )


def _sums(groups: Numbers, values: Values, n: int) -> Values:
    """Return the sum of the values of each group, added in their order."""
    return np.bincount(groups, values, n).astype(np.float64)
