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
from gpt4rec_es.ranking.values import Values


class FitUsers:
    """Users to fit, each with a target or more among its candidates, with sums of the features.

    targets: mean of the features of each user's targets. sums, squares: over its candidates.
    """

    def __init__(self, candidates: CandidateSet, is_target: NDArray[np.bool_]) -> None:
        """Set their candidates, and whether each is a target."""
        self.candidates = candidates
        shape = (len(candidates), len(FEATURES))
        self.sums, self.squares, self.targets = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for users, rows in candidates.blocks():
            values = candidates.features[rows].astype(np.float64)
            starts = candidates.starts[users] - rows.start
            self.sums[users] = np.add.reduceat(values, starts)
            self.squares[users] = np.add.reduceat(values * values, starts)
            hit = np.flatnonzero(is_target[rows])
            of = np.searchsorted(starts, hit, "right") - 1
            np.add.at(self.targets, of + users.start, values[hit])
            self.targets[users] /= np.bincount(of, minlength=len(starts))[:, None]


class SoftmaxLoss:
    """The mean loss of all users of ``parts``.

    Coefficients are scaled: they belong to columns of unit deviation.
    """

    def __init__(self, parts: Sequence[FitUsers], names: Sequence[str], weights: Values) -> None:
        """Set the users with their ``weights``, which sum to 1, and the names of coefficients."""
        self._parts, self._weights = [part.candidates for part in parts], weights
        features, contexts = list(FEATURES), list(CONTEXTS)
        of_name = [name.partition("*") for name in names]
        self._feature = np.array([features.index(feature) for feature, _, _ in of_name])
        self._context = np.array(
            [1 + contexts.index(context) if context else 0 for _, _, context in of_name]
        )
        known = np.concatenate([one.contexts for one in self._parts])
        self._of_user = np.concatenate([np.ones((len(known), 1)), known], axis=1)
        self._targets = np.concatenate([part.targets for part in parts])
        sums = np.concatenate([part.sums for part in parts])
        squares = np.concatenate([part.squares for part in parts])
        factor = self._of_user[:, self._context]
        n = sum(len(one.item_nos) for one in self._parts)
        mean = (sums[:, self._feature] * factor).sum(axis=0) / n
        square = (squares[:, self._feature] * factor**2).sum(axis=0) / n
        variance = square - mean**2
        # A constant feature, such as one of a source without hits, has no coefficient. The rest of
        # the bound is the rounding error of the difference.
        self.is_used = variance > np.maximum(1e-18, square * 1e-13)
        self.deviations = np.sqrt(np.where(self.is_used, variance, 1.0))

    def at(self, scaled: Values) -> tuple[float, Values, NDArray[np.float64]]:
        """Return the loss, its gradient and its Hessian at ``scaled`` coefficients."""
        n, width = self._of_user.shape[0], len(FEATURES)
        plain = scaled / self.deviations
        table = np.zeros((self._of_user.shape[1], width))
        np.add.at(table, (self._context, self._feature), plain)
        of_user = self._of_user @ table
        logs, means, products = self._sums(of_user)
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

    def _sums(self, of_user: Values) -> tuple[Values, Values, Values]:
        """Return of each user the log of the sum of powers, and mean features and products.

        of_user: what each feature weighs, [users, features]. Means are by the softmax.
        """
        width = len(FEATURES)
        logs, sums = np.zeros(len(of_user)), np.zeros((len(of_user), width, width + 1))
        before = 0
        for candidates in self._parts:
            for users, rows in candidates.blocks():
                at = slice(before + users.start, before + users.stop)
                starts = candidates.starts[users] - rows.start
                values = np.ones((rows.stop - rows.start, width + 1))
                values[:, :width] = candidates.features[rows]
                features = values[:, :width]
                counts = np.diff(starts, append=len(values))
                scores = np.einsum("ij,ij->i", features, np.repeat(of_user[at], counts, axis=0))
                highest = np.maximum.reduceat(scores, starts)
                powers = np.exp(scores - np.repeat(highest, counts))
                totals = np.add.reduceat(powers, starts)
                logs[at] = np.log(totals) + highest
                weighted = features * (powers / np.repeat(totals, counts))[:, None]
                for place, (first, count) in enumerate(zip(starts, counts, strict=True), at.start):
                    own = slice(first, first + count)
                    np.matmul(weighted[own].T, values[own], out=sums[place])
            before += len(candidates)
        return logs, sums[:, :, width], np.ascontiguousarray(sums[:, :, :width])
