"""Search several fields of one index at many points (k1, b of titles), for queries as tokens.

A score is the sum of each field's BM25 times its weight, rounded where Lucene rounds: a field with
a weight other than 1 is a clause of its own, whose sum is rounded before the fields are added up;
all others are one sum. Every matching item is scored at every point: the bounds of ``grid`` hold
for one field only.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.elastic.similarity import FieldBm25
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.arithmetic import Floats, denominators, term_scores, term_weights
from gpt4rec_es.lab.bm25.grid import (
    GridHits,
    MemoryGrid,
    rank_keys,
    required_terms,
    top_hits,
)
from gpt4rec_es.lab.bm25.index import Integers, MemoryIndex
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.records import Bm25

# Scores of items per step, in double precision: 32 MB.
_SCORES_PER_STEP = 1 << 22


def open_grid(
    index: MemoryIndex,
    points: Sequence[Bm25],
    depth: int,
    options: SearchOptions = ANY_TERM,
    field_bm25: FieldBm25 | None = None,
) -> "MemoryGrid | FieldsGrid":
    """Return a grid of searches by ``options``; raises as ``MemoryGrid`` does.

    field_bm25: k1, b of fields that have others than the defaults; None: those of the index.
    """
    if not options.fields:
        return MemoryGrid(index, points, depth, options)
    return FieldsGrid(index, points, depth, options, field_bm25)


@dataclass(frozen=True, slots=True)
class _Field:
    """One field: its postings, its weight, and the denominators of its scores [kinds, points]."""

    index: MemoryIndex
    weight: float
    points: Sequence[Bm25]
    denominators: Floats


@dataclass(frozen=True, slots=True)
class _Terms:
    """The distinct terms of some queries, by slot: query, term and frequency of each."""

    queries: Integers
    tokens: Sequence[str]
    repeats: Integers


@dataclass(frozen=True, slots=True)
class _Postings:
    """Postings of the terms in one field: slot, rank of the item's id, cell, kind.

    A cell is a place in [queries, items by rank]. weights: of terms, [slots, points].
    """

    slots: Integers
    ranks: Integers
    cells: Integers
    kinds: Integers
    weights: Floats


class FieldsGrid:
    """Searches title and further fields of one index at all ``points`` (k1, b) at once."""

    def __init__(
        self,
        index: MemoryIndex,
        points: Sequence[Bm25],
        depth: int,
        options: SearchOptions,
        field_bm25: FieldBm25 | None = None,
    ) -> None:
        """Prepare searches for the best ``depth`` items by ``options``.

        points: of titles. field_bm25: see ``open_grid``.

        Raises:
            UsageError: there is no point, ``depth`` is below 1, or a field was not read.
        """
        if not points or depth < 1:
            raise UsageError("A search needs at least one (k1, b) and a depth of at least 1.")
        self._index, self._options = index, options
        self._depth = min(depth, len(index))
        self._n_points = len(points)
        self._fields = [self._field(index, 1.0, points)]
        of_fields = index.field_bm25 if field_bm25 is None else field_bm25
        for name, weight in options.fields:
            found = index.field(name)
            if found is not None:
                several = [of_fields.get(name, Bm25())] * len(points)
                self._fields.append(self._field(found, weight, several))

    @staticmethod
    def _field(index: MemoryIndex, weight: float, points: Sequence[Bm25]) -> _Field:
        below = denominators(points, index.kind_times, index.kind_lengths, index.mean_length)
        return _Field(index, weight, points, below)

    def search(self, queries: Sequence[Sequence[str]]) -> Iterator[GridHits]:
        """Yield the hits of ``queries``, given as tokens, in order; a few queries at a time.

        Equal scores are ordered by item id (bytes ascending).
        """
        per_step = max(1, _SCORES_PER_STEP // len(self._index))
        for first in range(0, len(queries), per_step):
            yield self._step(first, queries[first : first + per_step])

    def _step(self, first: int, queries: Sequence[Sequence[str]]) -> GridHits:
        terms, shape = _distinct(queries), (len(queries), len(self._index))
        found = [self._postings(field, terms) for field in self._fields]
        is_match = self._is_match(found, terms, queries)
        ranks = np.tile(np.arange(shape[1]), shape[0])
        parts = []
        for point in range(self._n_points):
            scores = np.zeros(len(ranks))
            for one, field in zip(found, self._fields, strict=True):
                of_terms = one.weights[one.slots, point]
                values = term_scores(of_terms, field.denominators[one.kinds, point])
                # As in Lucene: sum in double precision and round once.
                sums = np.bincount(one.cells, values, len(ranks))
                scores += sums if field.weight == 1 else sums.astype(np.float32)
            if is_match is not None:
                scores *= is_match
            keys = rank_keys(scores.astype(np.float32)[:, None], ranks).reshape(1, *shape)
            parts.append(top_hits(first, keys, self._depth, self._index.by_rank))
        return GridHits(
            first,
            np.concatenate([part.item_nos for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )

    def _is_match(
        self, found: Sequence[_Postings], terms: _Terms, queries: Sequence[Sequence[str]]
    ) -> NDArray[np.bool_] | None:
        """Return by cell whether enough terms match; None: one is enough for all queries."""
        required = required_terms([len(tokens) for tokens in queries], self._options)
        if (required <= 1).all():
            return None
        n_items = len(self._index)
        # A term counts once per item, in whichever fields it is.
        pairs = np.unique(np.concatenate([one.slots * n_items + one.ranks for one in found]))
        slots, ranks = np.divmod(pairs, n_items)
        cells = terms.queries[slots] * n_items + ranks
        counts = np.bincount(cells, terms.repeats[slots], len(queries) * n_items)
        result: NDArray[np.bool_] = counts >= np.repeat(required, n_items)
        return result

    def _postings(self, field: _Field, terms: _Terms) -> _Postings:
        index = field.index
        numbers = index.term_numbers(terms.tokens)
        known = np.flatnonzero(numbers >= 0)
        starts = index.starts[numbers[known]]
        counts = index.starts[numbers[known] + 1] - starts
        slots = np.repeat(known, counts)
        at = np.arange(len(slots)) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
        ranks = index.id_ranks[index.documents[at]]
        boosts = terms.repeats.astype(np.float32) * np.float32(field.weight)
        weights = term_weights(field.points, boosts, index.idf[np.maximum(numbers, 0)])
        cells = terms.queries[slots] * len(self._index) + ranks
        return _Postings(slots, ranks, cells, index.kinds[at], weights)


def _distinct(queries: Sequence[Sequence[str]]) -> _Terms:
    found = [
        (number, token, times)
        for number, tokens in enumerate(queries)
        for token, times in Counter(tokens).items()
    ]
    return _Terms(
        np.array([number for number, _, _ in found], np.int64),
        [token for _, token, _ in found],
        np.array([times for _, _, times in found], np.int64),
    )
