"""Search one index at many points (k1, b) at once, for queries given as tokens.

All points share one pass over the postings. Whatever k1 and b are, a title's score is at least the
sum of its terms' idf, and at most the sum of idf times frequency, each times a factor that does not
increase with the length of a title. So a title whose upper sum is less than the lower sums of
`depth` titles that are not longer is in no list at any point; only the few hundred other titles are
scored at each point.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.arithmetic import (
    Floats,
    denominators,
    relative_error,
    term_scores,
    term_weights,
)
from gpt4rec_es.lab.bm25.index import Integers, MemoryIndex, Slots
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.options.minimum_should_match import Requirement, parse_requirements
from gpt4rec_es.records import Bm25

# Scores and sums of titles per step: about the size of a core's cache.
_SCORES_PER_STEP = 1 << 18
_SUMS_PER_STEP = 1 << 18
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


@dataclass(frozen=True, slots=True)
class GridHits:
    """Hits of some queries at all points, best first.

    first: index of the first of these queries. item_nos and scores: [points, queries, depth], -1
    and 0 after the last hit of a query; no wider than the catalog.
    """

    first: int
    item_nos: Integers
    scores: Floats


@dataclass(frozen=True, slots=True)
class _Postings:
    """Postings of some queries' terms: slot, title, and cell in [queries, titles] of each.

    ``at``: index into the postings of the index.
    """

    slots: Integers
    at: Integers
    cells: Integers


class MemoryGrid:
    """Searches one index at all ``points`` (k1, b) at once."""

    def __init__(
        self,
        index: MemoryIndex,
        points: Sequence[Bm25],
        depth: int,
        options: SearchOptions = ANY_TERM,
    ) -> None:
        """Prepare searches for the best ``depth`` items by ``options``.

        Raises:
            UsageError: there is no point, or ``depth`` is below 1.
        """
        if not points or depth < 1:
            raise UsageError("A search needs at least one (k1, b) and a depth of at least 1.")
        self._index, self._points, self._depth = index, points, min(depth, len(index))
        self._options = options
        self._denominators = denominators(
            points, index.kind_times, index.kind_lengths, index.mean_length
        )
        error = relative_error(points, int(index.lengths[-1]), float(index.mean_length))
        self._nearly = 1 - error
        by_scores = _SCORES_PER_STEP // (len(points) * 3 * self._depth)
        self._per_step = max(1, min(by_scores, _SUMS_PER_STEP // len(index)))

    def search(self, queries: Sequence[Sequence[str]]) -> Iterator[GridHits]:
        """Yield the hits of ``queries``, given as tokens, in order; a few queries at a time.

        Equal scores are ordered by item id (bytes ascending).
        """
        for first in range(0, len(queries), self._per_step):
            yield self._step(first, queries[first : first + self._per_step])

    def _step(self, first: int, queries: Sequence[Sequence[str]]) -> GridHits:
        index, shape = self._index, (len(queries), len(self._index))
        lengths = [len(tokens) for tokens in queries]
        required = required_terms(lengths, self._options)
        slots = index.look_up(queries)
        postings = self._postings(slots)
        keep = self._keep(slots, postings, required, shape)
        kept = np.flatnonzero(keep)
        rows, documents = np.divmod(kept, shape[1])
        # Lucene merges repeated terms unless minimum_should_match counts them.
        is_counted = (required > 1) & (required != lengths)
        scores = self._scores(slots, postings, is_counted[slots.queries], kept, keep)
        keys = rank_keys(scores, index.id_ranks[documents])
        return best_hits(first, rows, keys, len(queries), self._depth, index.by_rank)

    def _postings(self, slots: Slots) -> _Postings:
        index = self._index
        starts = index.starts[slots.terms]
        counts = index.starts[slots.terms + 1] - starts
        of = np.repeat(np.arange(len(counts)), counts)
        skipped = starts - np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else starts
        at = np.arange(len(of)) + skipped[of]
        return _Postings(of, at, slots.queries[of] * len(index) + index.documents[at])

    def _keep(
        self, slots: Slots, found: _Postings, required: Integers, shape: tuple[int, int]
    ) -> NDArray[np.bool_]:
        """Return by cell whether it can be among the best of its query at any point.

        required: per query, the minimum number of terms that must match.
        """
        index, size = self._index, shape[0] * shape[1]
        idf = (slots.repeats * index.idf[slots.terms].astype(np.float64))[found.slots]
        lower = np.bincount(found.cells, idf, size).reshape(shape)
        times = index.times[found.at]
        more = np.flatnonzero(times > 1)
        extra = idf[more] * (times[more] - 1)
        upper = lower + np.bincount(found.cells[more], extra, size).reshape(shape)
        if (required > 1).any():
            terms = np.bincount(found.cells, slots.repeats[found.slots], size).reshape(shape)
            is_match = terms >= required[:, None]
            lower, upper = lower * is_match, upper * is_match
        keep = np.empty(shape, np.bool_)
        best = np.zeros((shape[0], self._depth))
        for first, end, is_one_length in index.blocks:
            bar = best[:, 0]
            pool = np.concatenate([best, lower[:, first:end]], axis=1)
            best = np.partition(pool, end - first, axis=1)[:, end - first :]
            bar = best[:, 0] if is_one_length else bar
            np.greater(upper[:, first:end], (bar * self._nearly)[:, None], out=keep[:, first:end])
        return keep.reshape(-1)

    def _scores(
        self,
        slots: Slots,
        found: _Postings,
        is_counted: NDArray[np.bool_],
        kept: Integers,
        keep: NDArray[np.bool_],
    ) -> Floats:
        """Return the scores of kept cells as [cells, points].

        is_counted: per slot, whether each repetition is a separate clause.
        """
        index = self._index
        pairs = np.flatnonzero(keep[found.cells])
        cells = np.searchsorted(kept, found.cells[pairs])
        n_kinds = len(index.kind_times)
        variants = found.slots[pairs] * n_kinds + index.kinds[found.at[pairs]]
        distinct, of = np.unique(variants, return_inverse=True)
        slot, kind = np.divmod(distinct, n_kinds)
        boosts = np.where(is_counted, 1, slots.repeats)
        weights = term_weights(self._points, boosts, index.idf[slots.terms])
        values = term_scores(weights[slot], self._denominators[kind])
        # As in Lucene: sum in double precision and round once.
        times = np.where(is_counted, slots.repeats, 1)[found.slots[pairs]].astype(np.float64)
        sums = sparse.csr_array((times, (cells, of)), shape=(len(kept), len(distinct)))
        result: Floats = (sums @ values.astype(np.float64)).astype(np.float32)
        return result


def rank_keys(scores: Floats, id_ranks: Integers) -> NDArray[np.uint64]:
    """Return one sort key per cell and point: the score and, reversed, the rank of the id.

    scores: [cells, points]; id_ranks: [cells].
    """
    keys = scores.view(np.uint32).astype(np.uint64) << _HALF
    keys |= _LOW - id_ranks.astype(np.uint64)[:, None]
    return keys


def best_hits(
    first: int, rows: Integers, keys: NDArray[np.uint64], n_queries: int, depth: int, ids: Integers
) -> GridHits:
    """Return the ``depth`` cells of each query with the highest ``keys`` [cells, points].

    rows: the query of each cell, in order; ids: item numbers by rank of the id.
    """
    points = keys.shape[1]
    starts = np.searchsorted(rows, np.arange(n_queries + 1))
    widest = max(int(np.diff(starts).max()), depth)
    # Less than every key, and distinct: many equal numbers make NumPy's partition slow.
    table = np.empty((points, n_queries, widest), np.uint64)
    table[:] = np.arange(widest)
    table[:, rows, np.arange(len(rows)) - starts[rows]] = keys.T
    return top_hits(first, table, depth, ids)


def top_hits(first: int, table: NDArray[np.uint64], depth: int, ids: Integers) -> GridHits:
    """Return the ``depth`` highest keys of each row of ``table`` [points, queries, cells]."""
    width = table.shape[2]
    if width > depth:
        table.partition(width - depth, axis=2)
        table = table[:, :, width - depth :]
    table = np.sort(table, axis=2)[:, :, ::-1]
    scores = (table >> _HALF).astype(np.uint32).view(np.float32)
    ranks = (_LOW - (table & _LOW)).astype(np.int64)
    is_hit = scores > 0
    item_nos = np.where(is_hit, ids[np.where(is_hit, ranks, 0)], -1)
    return GridHits(first, item_nos, scores)


def required_terms(lengths: Sequence[int], options: SearchOptions) -> Integers:
    """Return the number of terms that must match in queries of ``lengths`` terms, at least 1.

    If it is more than a query has, nothing matches.
    """
    asked = options.minimum_should_match
    if asked is None:
        return np.ones(len(lengths), np.int64)
    requirements = parse_requirements(asked)
    known = {length: _required(length, requirements) for length in set(lengths)}
    return np.array([known[length] for length in lengths], np.int64)


def _required(length: int, requirements: Sequence[Requirement]) -> int:
    # minimum_should_match applies to boolean queries only; one term is no boolean query.
    if length < 2:
        return 1
    required = length
    for one in requirements:
        if length <= one.above:
            break
        required = _amount(length, one)
    return max(1, required)


def _amount(length: int, one: Requirement) -> int:
    amount = abs(one.amount)
    if one.is_percentage:
        amount = length * amount // 100
    return length - amount if one.amount < 0 else amount
