"""Best items of a re-ranker for many users, as hits of a tuning."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.tuning.lists.many_values import Evidences, ManyValues
from gpt4rec_es.ranking.sequences import sequence_values
from gpt4rec_es.ranking.values import Numbers, Values
from gpt4rec_es.ranking.vectors import Vectors


@dataclass(frozen=True, slots=True)
class SequenceHits:
    """Items and scores of all users in flat arrays, best first. begins, counts: by user."""

    begins: Numbers
    counts: Numbers
    items: NDArray[np.int32]
    values: Values

    @classmethod
    def of(cls, vectors: Vectors, n_users: int) -> "SequenceHits":
        """Return the best items that ``vectors`` has of users, by their index."""
        best = [vectors.best.get(user) for user in range(n_users)]
        counts = np.array([0 if one is None else len(one.item_nos) for one in best], np.int64)
        items = [one.item_nos for one in best if one is not None]
        scores = [one.scores for one in best if one is not None]
        return cls(
            np.cumsum(counts) - counts,
            counts,
            np.concatenate([np.zeros(0, np.int64), *items]).astype(np.int32),
            np.concatenate([np.zeros(0), *scores]),
        )

    def chosen(self, users: Numbers) -> "SequenceHits":
        """Return those of these users."""
        return SequenceHits(self.begins[users], self.counts[users], self.items, self.values)

    def evidences(self, users: range, most: int) -> Evidences:
        """Return the first ``most`` items of each user as one evidence."""
        some = slice(users.start, users.stop)
        of, counts = np.arange(len(users)), np.minimum(self.counts[some], most)
        ones = np.ones(len(users), np.int64)
        return Evidences(of, np.zeros(len(users), np.int64), self.begins[some], counts, ones)


def values_of_sequences(values: ManyValues, item_bits: int) -> dict[str, Values]:
    """Return the values of all found items by name, see ``ranking.sequences``."""
    users = values.pairs >> item_bits
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    counts = np.diff(starts, append=len(users))

    def of_user(ufunc: np.ufunc, column: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.repeat(ufunc.reduceat(column, starts), counts) if len(starts) else column

    scores = values.recent
    return sequence_values(
        scores,
        np.asarray(of_user(np.minimum, scores), np.float64),
        np.asarray(of_user(np.maximum, scores), np.float64),
        values.first - np.asarray(of_user(np.minimum, values.first), np.int64),
    )
