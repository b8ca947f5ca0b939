"""Every bought title as a query at once, newer ones counting more."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse

from gpt4rec_es.lab.baselines.scored import Scores, age_weights, check_decay
from gpt4rec_es.lab.bm25.index import MemoryIndex
from gpt4rec_es.lab.bm25.matrix import query_terms, term_impacts
from gpt4rec_es.records import Bm25


class HistoryBm25:
    """Scores an item by how well the titles in the history find it.

    Scores of different queries cannot be compared, so each title's are divided by the score that
    it gives itself.
    """

    def __init__(
        self,
        index: MemoryIndex,
        titles: Mapping[int, Sequence[str]],
        bm25: Bm25,
        n_items: int,
        decay: float = 0.7,
    ) -> None:
        """Take the ``titles`` of bought items as query tokens, by item number below ``n_items``.

        Raises:
            UsageError: ``decay`` is not above 0 and at most 1.
        """
        check_decay(decay)
        self.n_items = n_items
        self._decay = decay
        self._impacts = term_impacts(index, bm25, n_items)
        queries = query_terms(index, titles, n_items)
        own = np.asarray((queries * self._impacts.T.tocsr()).sum(axis=1)).ravel()
        scale = np.divide(1, own, out=np.zeros_like(own), where=own > 0)
        self._queries = (sparse.diags_array(scale) @ queries).astype(np.float32).tocsr()

    def scores(self, histories: Sequence[Sequence[int]]) -> Scores:
        """Return the sum of self-normalised scores, decayed by age, as [histories, items]."""
        weights = age_weights(histories, self._decay, self.n_items)
        scores: Scores = ((weights @ self._queries) @ self._impacts).toarray()
        return scores
