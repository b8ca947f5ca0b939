"""Items that the same users bought, by cosine, weighted towards the user's newest purchases."""

from collections.abc import Collection, Sequence
from itertools import chain

import numpy as np
from scipy import sparse

from gpt4rec_es.lab.baselines.scored import Scores, age_weights, check_decay
from gpt4rec_es.options.lists import COSINE
from gpt4rec_es.ranking.neighbours import Purchases, strength_blocks


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
        once = [list(dict.fromkeys(items)) for items in train]
        starts = np.cumsum([0, *map(len, once)], dtype=np.int64)
        items = np.fromiter(chain.from_iterable(once), np.int32)
        purchases = Purchases(items, np.zeros_like(items), starts, n_items)
        self._cosines = sparse.vstack(list(strength_blocks(purchases, COSINE)), format="csr")

    def scores(self, histories: Sequence[Sequence[int]]) -> Scores:
        """Return the sum of cosines, decayed by age, as [histories, items]."""
        weights = age_weights(histories, self._decay, self.n_items)
        scores: Scores = (weights @ self._cosines).toarray()
        return scores
