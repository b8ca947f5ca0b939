"""BM25 as a product of matrices, for many long queries whose every score is wanted.

A query's score is a sum over its terms, so a user's whole history is one weighted query. Sums are
in single precision here: for comparing, not for equality with a server.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from gpt4rec_es.lab.bm25.arithmetic import denominators, term_scores, term_weights
from gpt4rec_es.lab.bm25.index import MemoryIndex
from gpt4rec_es.records import Bm25

# A csr_array of float32; SciPy carries no types.
Matrix: TypeAlias = Any


def term_impacts(index: MemoryIndex, bm25: Bm25, n_items: int) -> Matrix:
    """Return what one mention of a term adds to the score of an item, as [terms, items].

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
    """Return how often the query of an item (its title) mentions a term, as [items, terms].

    queries: tokens by item number, below ``n_items``.
    """
    slots = index.look_up(list(queries.values()))
    items = np.array(list(queries), np.int64)[slots.queries]
    shape = (n_items, len(index.idf))
    return sparse.csr_array((slots.repeats.astype(np.float32), (items, slots.terms)), shape=shape)
