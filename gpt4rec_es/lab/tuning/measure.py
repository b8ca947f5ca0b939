"""Recall and NDCG of merged lists at many (k1, b): the inner loop of tuning.

Only recorded queries and in-process search: what is compared is k1 and b, and nothing else moves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.depths import by_depth
from gpt4rec_es.metrics.fast import TargetTable
from gpt4rec_es.metrics.lists import NOTHING, Lists
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.ranking.merge import QueryHits, merge_hits
from gpt4rec_es.records import Bm25, SearchResult

# Hits in memory at once, over all points.
_HITS_PER_STEP = 1 << 23


@dataclass(frozen=True, slots=True)
class TuningCase:
    """A user on validation: generated queries, best first; what may not be and what should be."""

    queries: tuple[str, ...]
    bought: frozenset[int]
    targets: frozenset[int]


class Hits(Protocol):
    """Part of an answer: see ``retrieval.memory_grid.GridHits``."""

    @property
    def first(self) -> int:
        """Place of the first of these texts among those asked."""

    @property
    def item_nos(self) -> NDArray[np.int64]:
        """Item numbers as [points, texts, depth], -1 behind the last hit."""


class GridSearch(Protocol):
    """Searches for texts at many points at once."""

    def search(self, texts: Sequence[str], points: Sequence[Bm25], depth: int) -> Iterator[Hits]:
        """Yield hits of ``texts`` in order, some at a time."""


@dataclass(frozen=True, slots=True)
class Measured:
    """recall and ndcg at k, [points, users]; users in the order of the cases."""

    k: int
    points: tuple[Bm25, ...]
    recall: NDArray[np.float64]
    ndcg: NDArray[np.float64]

    def joined(self, other: "Measured") -> "Measured":
        """Return these points and then those of ``other``, of the same users and k."""
        return Measured(
            self.k,
            self.points + other.points,
            np.concatenate([self.recall, other.recall]),
            np.concatenate([self.ndcg, other.ndcg]),
        )


def measure_points(
    cases: Sequence[TuningCase],
    points: Sequence[Bm25],
    search: GridSearch,
    k: int,
    progress: Progress = no_progress,
) -> Measured:
    """Return what lists of ``k`` are worth at each of ``points``.

    Lists hold hits of the queries alone: fallbacks would only blur the comparison.

    Raises:
        UsageError: there are no cases or points, or a case has no target.
    """
    if not cases or not points:
        raise UsageError("There is nothing to tune on.", "Make a split and generate queries first.")
    if not all(case.targets for case in cases):
        raise UsageError("A user without held-out items cannot be measured.", "Leave it out.")
    recall, ndcg = np.empty((2, len(points), len(cases)))
    done = 0
    for depth, users in by_depth([case.bought for case in cases], k).items():
        for step in _steps(cases, users, _HITS_PER_STEP // (depth * len(points))):
            chosen = [cases[user] for user in step]
            table = TargetTable([case.targets for case in chosen], k)
            for point, lists in enumerate(_lists(chosen, points, search, depth, k)):
                recall[point, step], ndcg[point, step] = table.measure(lists)
            done += len(step)
            progress(done, len(cases))
    return Measured(k, tuple(points), recall, ndcg)


def _steps(
    cases: Sequence[TuningCase], users: Sequence[int], most_texts: int
) -> Iterator[list[int]]:
    """Yield users whose texts together are about as many as fit."""
    step: list[int] = []
    texts = 0
    for user in users:
        step.append(user)
        texts += len(cases[user].queries)
        if texts >= most_texts:
            yield step
            step, texts = [], 0
    if step:
        yield step


def _lists(
    cases: Sequence[TuningCase],
    points: Sequence[Bm25],
    search: GridSearch,
    depth: int,
    k: int,
) -> Iterator[Lists]:
    """Yield the lists of these users, point by point."""
    texts = list(dict.fromkeys(text for case in cases for text in case.queries))
    places = {text: place for place, text in enumerate(texts)}
    parts = [part.item_nos for part in search.search(texts, points, depth)]
    hits = np.concatenate(parts, axis=1) if parts else np.empty((len(points), 0, 1), np.int64)
    # Merging goes by ranks alone.
    scores = (0.0,) * hits.shape[2]
    for found in hits:
        results = [_result(row, scores) for row in found.tolist()]
        lists = np.full((len(cases), k), NOTHING, np.int64)
        for user, case in enumerate(cases):
            queries = [
                QueryHits(rank, results[places[text]])
                for rank, text in enumerate(case.queries, start=1)
            ]
            picks = merge_hits(queries, k, case.bought).picks
            lists[user, : len(picks)] = [pick[0] for pick in picks]
        yield lists


def _result(row: list[int], scores: tuple[float, ...]) -> SearchResult:
    """Return a result that is taken to be all there is."""
    end = row.index(NOTHING) if row[-1] == NOTHING else len(row)
    return SearchResult(tuple(row[:end]), scores, exhausted=True)
