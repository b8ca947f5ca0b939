"""The loss of a listwise softmax with its first and second derivatives, user by user.

A coefficient multiplies a feature, alone or times a context of the user. So sums over a user's
candidates are needed for features only; contexts are multiplied afterwards, which is six times
cheaper than a column per coefficient.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.tuning.lists.candidates import CandidateSet
from gpt4rec_es.options.features import CONTEXTS, FEATURES
from gpt4rec_es.ranking.values import Numbers, Values

# Users whose candidates are read at once.
_USERS = 128


class SoftmaxLoss:
    """The mean loss of ``users``, each with one target or more among its candidates.

    Coefficients are scaled: they belong to columns of unit deviation.
    """

    def __init__(
        self,
        candidates: CandidateSet,
        is_target: NDArray[np.bool_],
        users: Numbers,
        names: Sequence[str],
        weights: Values,
    ) -> None:
        """Set the users with their weights, which sum to 1, and the ``names`` of coefficients."""
        self._candidates, self._users, self._weights = candidates, users, weights
        features, contexts = list(FEATURES), list(CONTEXTS)
        of_name = [name.partition("*") for name in names]
        self._feature = np.array([features.index(feature) for feature, _, _ in of_name])
        self._context = np.array(
            [1 + contexts.index(context) if context else 0 for _, _, context in of_name]
        )
        self._of_user = np.concatenate(
            [np.ones((len(users), 1)), candidates.contexts[users]], axis=1
        )
        self._set_sums(is_target)

    def _set_sums(self, is_target: NDArray[np.bool_]) -> None:
        """Set the deviation of each column, and the mean of each user's targets."""
        n = len(self._users)
        sums, squares = np.zeros((n, len(FEATURES))), np.zeros((n, len(FEATURES)))
        self._targets = np.zeros((n, len(FEATURES)))
        rows = 0
        for at, own, starts in self._blocks():
            values = self._candidates.features[own].astype(np.float64)
            rows += len(values)
            sums[at] = np.add.reduceat(values, starts)
            squares[at] = np.add.reduceat(values * values, starts)
            hit = is_target[own]
            found = np.add.reduceat(values * hit[:, None], starts)
            self._targets[at] = found / np.add.reduceat(hit, starts, dtype=np.float64)[:, None]
        factor = self._of_user[:, self._context]
        mean = (sums[:, self._feature] * factor).sum(axis=0) / rows
        square = (squares[:, self._feature] * factor**2).sum(axis=0) / rows
        variance = square - mean**2
        # A constant feature, such as one of a source without hits, has no coefficient. The rest of
        # the bound is the rounding error of the difference.
        self.is_used = variance > np.maximum(1e-18, square * 1e-13)
        self.deviations = np.sqrt(np.where(self.is_used, variance, 1.0))

    def _blocks(self) -> "list[tuple[slice, Numbers, Numbers]]":
        """Return for some users at a time: their indices, their candidates, and first of each."""
        starts = self._candidates.starts
        found = []
        for first in range(0, len(self._users), _USERS):
            some = self._users[first : first + _USERS]
            counts = starts[some + 1] - starts[some]
            begins = np.cumsum(counts) - counts
            rows = np.arange(counts.sum()) + np.repeat(starts[some] - begins, counts)
            found.append((slice(first, first + len(some)), rows, begins))
        return found

    def at(self, scaled: Values) -> tuple[float, Values, NDArray[np.float64]]:
        """Return the loss, its gradient and its Hessian at ``scaled`` coefficients."""
        n, width = self._of_user.shape[0], len(FEATURES)
        plain = scaled / self.deviations
        table = np.zeros((self._of_user.shape[1], width))
        np.add.at(table, (self._context, self._feature), plain)
        of_user = self._of_user @ table
        means, products = np.zeros((n, width)), np.zeros((n, width, width))
        logs = np.zeros(n)
        for at, own, starts in self._blocks():
            values = self._candidates.features[own].astype(np.float64)
            counts = np.diff(starts, append=len(own))
            scores = np.einsum("ij,ij->i", values, np.repeat(of_user[at], counts, axis=0))
            highest = np.maximum.reduceat(scores, starts)
            powers = np.exp(scores - np.repeat(highest, counts))
            totals = np.add.reduceat(powers, starts)
            logs[at] = np.log(totals) + highest
            weighted = values * (powers / np.repeat(totals, counts))[:, None]
            means[at] = np.add.reduceat(weighted, starts)
            for place, (first, count) in enumerate(zip(starts, counts, strict=True), at.start):
                rows = slice(first, first + count)
                np.matmul(weighted[rows].T, values[rows], out=products[place])
        loss = float(self._weights @ (logs - (self._targets * of_user).sum(axis=1)))
        products -= means[:, :, None] * means[:, None, :]
        by_context = (self._of_user * self._weights[:, None]).T
        gradient = (by_context @ (means - self._targets))[self._context, self._feature]
        both = (by_context[:, None, :] * self._of_user.T[None, :, :]).reshape(-1, n)
        sums = both @ products.reshape(n, -1)
        sums = sums.reshape(len(by_context), len(by_context), width, width)
        i, j = np.meshgrid(np.arange(len(plain)), np.arange(len(plain)), indexing="ij")
        hessian = sums[self._context[i], self._context[j], self._feature[i], self._feature[j]]
        scale = self.deviations
        return loss, gradient / scale, hessian / np.outer(scale, scale)
