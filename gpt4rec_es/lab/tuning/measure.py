"""Recall and NDCG of merged lists at many (k1, b): the inner loop of tuning.

Uses stored queries and in-process search, so that only k1 and b differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.retriever import MemoryGridSearch
from gpt4rec_es.lab.evaluation.merging import GridMerge
from gpt4rec_es.lab.evaluation.sources import ListSources
from gpt4rec_es.metrics.accuracy import Targets
from gpt4rec_es.metrics.lists import as_lists
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.records import Bm25


@dataclass(frozen=True, slots=True)
class TuningUser:
    """A validation user: generated queries, best first; bought items and target items."""

    queries: tuple[str, ...]
    bought: tuple[int, ...]
    targets: frozenset[int]


@dataclass(frozen=True, slots=True)
class Measured:
    """recall and ndcg at k, [points, users]; users in the order of the eval_users."""

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
    eval_users: Sequence[TuningUser],
    points: Sequence[Bm25],
    search: MemoryGridSearch,
    k: int,
    progress: Progress = no_progress,
) -> Measured:
    """Return recall and NDCG of lists of ``k`` at each of ``points``.

    Lists contain only hits of the queries: fallbacks would add noise to the comparison.

    Raises:
        UsageError: there are no users or points, or a user has no target.
    """
    if not eval_users or not points:
        raise UsageError("There is nothing to tune on.", "Make a split and generate queries first.")
    if not all(eval_user.targets for eval_user in eval_users):
        raise UsageError("A user without held-out items cannot be measured.", "Leave it out.")
    values = np.empty((2, len(points), len(eval_users)))
    grid = GridMerge(search, search, points, ListSources())
    queries, bought = (
        [eval_user.queries for eval_user in eval_users],
        [eval_user.bought for eval_user in eval_users],
    )
    cell = (k, max(map(len, queries)))
    for users, point, lists in grid.merge(queries, bought, [cell]):
        targets = Targets([eval_users[user].targets for user in users])
        measured = targets.measure(as_lists(lists[cell], k))
        values[:, point, users] = measured["recall"], measured["ndcg"]
        if point == len(points) - 1:
            progress(users[-1] + 1, len(eval_users))
    return Measured(k, tuple(points), *values)
