"""Items that the same users bought, by cosine, weighted towards the user's newest purchases."""

from collections.abc import Collection, Sequence

import numpy as np
from scipy import sparse

from gpt4rec_es.baselines.scored import Scores, age_weights, check_decay


class Cooccurrence:
    """Scores an item by the cosine between its buyers and those of each item in the history."""

    def __init__(self, train: Collection[Sequence[int]], n_items: int, decay: float = 0.7) -> None:
        """Count in ``train``, whose item numbers must be below ``n_items``.

        Raises:
            UsageError: ``decay`` is not above 0 and at most 1.
        """
        check_decay(decay)
        self.n_items = n_items
        self._decay = decay
        rows = [row for row, items in enumerate(train) for _ in dict.fromkeys(items)]
        columns = [item for items in train for item in dict.fromkeys(items)]
        ones = np.ones(len(rows), np.float32)
        bought = sparse.csr_array((ones, (rows, columns)), shape=(len(train), n_items))
        together = (bought.T @ bought).tocsr()
        buyers = together.diagonal()
        together.setdiag(0)
        together.eliminate_zeros()
        scale = sparse.diags_array(1 / np.sqrt(np.maximum(buyers, 1)))
        self._cosines = (scale @ together @ scale).astype(np.float32).tocsr()

    def scores(self, histories: Sequence[Sequence[int]]) -> Scores:
        """Return the sum of cosines, decayed by age, as [histories, items]."""
        weights = age_weights(histories, self._decay, self.n_items)
        scores: Scores = (weights @ self._cosines).toarray()
        return scores
