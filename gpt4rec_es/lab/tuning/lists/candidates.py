"""Candidates of many users with their features, as arrays that may lie on disk."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.tuning.lists.arrays import new_array
from gpt4rec_es.metrics.lists import NOTHING, Lists
from gpt4rec_es.options.features import CONTEXTS, FEATURES
from gpt4rec_es.ranking.values import Numbers, Values

# Users whose candidates are read at once: about 20 MB.
_USERS = 256


@dataclass(frozen=True, slots=True)
class CandidateSet:
    """Candidates of all users, user after user, in the order that decides ties.

    item_nos: [candidates]. features: [candidates, features], float32. contexts: [users, contexts].
    starts: index of each user's first candidate, and their number at the end.
    """

    item_nos: NDArray[np.integer]
    features: NDArray[np.float32]
    contexts: NDArray[np.float64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of users."""
        return len(self.starts) - 1

    def of(
        self, users: Sequence[int] | NDArray[np.int64], folder: Path | None = None
    ) -> "CandidateSet":
        """Return the candidates of these users, in their order; folder: for arrays, or None."""
        chosen = np.asarray(users, np.int64)
        counts = np.diff(self.starts)[chosen]
        starts = np.concatenate(([0], np.cumsum(counts)))
        items = np.empty(int(starts[-1]), self.item_nos.dtype)
        features = np.asarray(new_array(folder, (int(starts[-1]), len(FEATURES)), np.float32))
        for first in range(0, len(chosen), _USERS):
            some = slice(first, first + _USERS)
            begins = self.starts[chosen[some]] - starts[some.start : some.start + len(chosen[some])]
            own = slice(int(starts[first]), int(starts[min(first + _USERS, len(chosen))]))
            rows = np.arange(own.start, own.stop) + np.repeat(begins, counts[some])
            items[own], features[own] = self.item_nos[rows], self.features[rows]
        return CandidateSet(items, features, self.contexts[chosen], starts)

    def owners(self) -> NDArray[np.int64]:
        """Return the user's index of each candidate."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def blocks(self) -> Iterator[tuple[slice, slice]]:
        """Yield some users, and their candidates, at a time."""
        for first in range(0, len(self), _USERS):
            last = min(first + _USERS, len(self))
            yield slice(first, last), slice(int(self.starts[first]), int(self.starts[last]))

    def is_target(self, targets: Sequence[Collection[int]]) -> NDArray[np.bool_]:
        """Return whether each candidate is a target of its user."""
        found = np.zeros(len(self.item_nos), np.bool_)
        for users, rows in self.blocks():
            counts = np.diff(self.starts[users.start : users.stop + 1])
            own = [sorted(wanted) for wanted in targets[users]]
            for place in range(max(map(len, own), default=0)):
                wanted = [items[place] if place < len(items) else NOTHING for items in own]
                found[rows] |= self.item_nos[rows] == np.repeat(wanted, counts)
        return found

    def scores(self, coefficients: Sequence[tuple[str, float]]) -> Values:
        """Return the scores of all candidates by (name, coefficient), see ``Fusion``."""
        return self.scores_by(self.weights(coefficients))

    def scores_by(self, weights: Values) -> Values:
        """Return the scores of all candidates by the weights of features of each user."""
        scores = np.empty(len(self.item_nos))
        for users, rows in self.blocks():
            counts = np.diff(self.starts[users.start : users.stop + 1])
            own = np.repeat(weights[users], counts, axis=0)
            scores[rows] = np.einsum("ij,ij->i", self.features[rows].astype(np.float64), own)
        return scores

    def weights(self, coefficients: Sequence[tuple[str, float]]) -> Values:
        """Return what each feature weighs for each user, [users, features]."""
        weights = np.zeros((len(self), len(FEATURES)))
        features, contexts = list(FEATURES), list(CONTEXTS)
        for name, value in coefficients:
            feature, _, context = name.partition("*")
            factor = self.contexts[:, contexts.index(context)] if context else 1.0
            weights[:, features.index(feature)] += value * factor
        return weights

    def lists(self, scores: Values, k: int) -> Lists:
        """Return each user's ``k`` candidates of the highest scores; ties keep their order."""
        found = np.full((len(self), k), NOTHING, np.int64)
        for users, rows in self.blocks():
            counts = np.diff(self.starts[users.start : users.stop + 1])
            is_own = np.arange(counts.max(initial=0)) < counts[:, None]
            table = np.full(is_own.shape, np.inf)
            table[is_own] = -scores[rows]
            best = np.argsort(table, axis=1, kind="stable")[:, :k]
            places = np.minimum(best + self.starts[users][:, None], len(self.item_nos) - 1)
            is_kept = np.arange(best.shape[1]) < counts[:, None]
            found[users, : best.shape[1]] = np.where(is_kept, self.item_nos[places], NOTHING)
        return found


def joined(sets: Sequence[CandidateSet]) -> CandidateSet:
    """Return the candidates of several sets, one after the other, in memory."""
    counts: list[Numbers] = [np.diff(one.starts) for one in sets]
    return CandidateSet(
        np.concatenate([one.item_nos for one in sets]),
        np.concatenate([one.features for one in sets]),
        np.concatenate([one.contexts for one in sets]),
        np.concatenate([[0], *counts]).cumsum(),
    )
