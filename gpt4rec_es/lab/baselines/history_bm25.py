"""Baseline: BM25 with all bought titles as queries, newer titles weighted higher."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse

from gpt4rec_es.lab.baselines.scored import Matrix, Scores, age_weights, check_decay
from gpt4rec_es.lab.bm25.arithmetic import denominators, term_scores, term_weights
from gpt4rec_es.lab.bm25.index import MemoryIndex
from gpt4rec_es.records import Bm25


def term_impacts(index: MemoryIndex, bm25: Bm25, n_items: int) -> Matrix:
    """Return what one occurrence of a query term adds to the score of an item, as [terms, items].

    Items are columns by their number, which must be below ``n_items``; inactive ones are empty.
    """
    n_terms = len(index.idf)
    terms = np.repeat(np.arange(n_terms), np.diff(index.starts))
    weights = term_weights([bm25], np.ones(n_terms, np.int64), index.idf)[terms, 0]
    kinds = denominators([bm25], index.kind_times, index.kind_lengths, index.mean_length)[:, 0]
    items = index.by_rank[index.id_ranks[index.documents]]
    values = term_scores(weights, kinds[index.kinds])
    return sparse.csr_array((values, (terms, items)), shape=(n_terms, n_items))


def query_terms(index: MemoryIndex, queries: Mapping[int, Sequence[str]], n_items: int) -> Matrix:
    """Return term frequencies of queries (the titles of items), as [items, terms].

    queries: tokens by item number, below ``n_items``.
    """
    slots = index.look_up(list(queries.values()))
    items = np.array(list(queries), np.int64)[slots.queries]
    shape = (n_items, len(index.idf))
    return sparse.csr_array((slots.repeats.astype(np.float32), (items, slots.terms)), shape=shape)


class HistoryBm25:
    """Scores an item by the BM25 scores of the history's titles as queries.

    Scores of different queries cannot be compared, so those of each title are divided by its score
    for its own item.
    """

    def __init__(
        self,
        index: MemoryIndex,
        titles: Mapping[int, Sequence[str]],
        bm25: Bm25,
        n_items: int,
        decay: float = 0.7,
    ) -> None:
        """Prepare the scores of ``titles``: query tokens by item number below ``n_items``.

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
