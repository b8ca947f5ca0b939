"""Diversity and coverage of the paper, catalog coverage, and novelty.

Undefined values of a user (such as the diversity of a single item) are NaN, and means leave such
users out.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gpt4rec_es.metrics.labels import LabelSets
from gpt4rec_es.metrics.lists import NOTHING, Lists, PerUser

# Users per step: a dense table of at most (step x k) squared pairs of label sets is computed.
_STEP = 64


def diversity(lists: Lists, labels: LabelSets) -> PerUser:
    """Return 1 - the mean Jaccard similarity of the pairs of items in a list (GPT4Rec, 4.3).

    Only pairs in which both items have labels count; NaN without such a pair.
    """
    result = np.empty(len(lists))
    for first in range(0, len(lists), _STEP):
        step = lists[first : first + _STEP]
        result[first : first + _STEP] = _diversity(step, labels)
    return result


def _diversity(lists: Lists, labels: LabelSets) -> PerUser:
    sets = np.where(lists == NOTHING, 0, labels.set_of[lists])
    distinct, of = np.unique(sets, return_inverse=True)
    of = of.reshape(sets.shape)
    rows = labels.matrix[distinct]
    common = (rows @ rows.T).toarray()
    sizes = common.diagonal()
    similarity = common / np.maximum(sizes[:, None] + sizes[None, :] - common, 1)
    has_labels = sets > 0
    counted = has_labels[:, :, None] & has_labels[:, None, :]
    diagonal = np.arange(lists.shape[1])
    counted[:, diagonal, diagonal] = False
    pairs = counted.sum(axis=(1, 2))
    total = (similarity[of[:, :, None], of[:, None, :]] * counted).sum(axis=(1, 2))
    result: PerUser = 1 - np.divide(total, pairs, out=np.full(len(lists), np.nan), where=pairs > 0)
    return result


def coverage(lists: Lists, histories: Sequence[Sequence[int]], labels: LabelSets) -> PerUser:
    """Return the fraction of the history's labels that are in the list (GPT4Rec, 4.3).

    NaN if the history has no labels.
    """
    wanted = _has_labels(
        np.repeat(np.arange(len(histories)), list(map(len, histories))),
        np.fromiter(chain.from_iterable(histories), np.int64),
        len(lists),
        labels,
    )
    users, places = np.nonzero(lists != NOTHING)
    found = _has_labels(users, lists[users, places], len(lists), labels)
    counts = wanted.sum(axis=1)
    common = wanted.multiply(found).sum(axis=1)
    result: PerUser
    result = np.divide(common, counts, out=np.full(len(lists), np.nan), where=counts > 0)
    return result


def _has_labels(
    users: NDArray[np.int64], items: NDArray[np.int64], n_users: int, labels: LabelSets
) -> Any:
    """Return [users, labels], sparse: 1 if an item of the user has the label."""
    shape = (n_users, labels.matrix.shape[0])
    sets = sparse.csr_array((np.ones(len(items)), (users, labels.set_of[items])), shape=shape)
    has = (sets @ labels.matrix).tocsr()
    has.data[:] = 1
    return has


def catalog_coverage(lists: Lists, n_active: int) -> float:
    """Return the fraction of ``n_active`` recommendable items that are in at least one list."""
    return len(np.unique(lists[lists != NOTHING])) / n_active


def novelty(lists: Lists, buyers: Mapping[int, int], n_users: int) -> PerUser:
    """Return the mean of log2(users / buyers) over a list: 0 for items bought by all users.

    Items without buyers count as if they had one. NaN for empty lists.
    """
    counts = np.ones(int(max(lists.max(initial=0), max(buyers, default=0))) + 1)
    for item, number in buyers.items():
        counts[item] = max(number, 1)
    is_item = lists != NOTHING
    surprise = np.where(is_item, np.log2(n_users / counts[lists]), 0).sum(axis=1)
    lengths = is_item.sum(axis=1)
    means: PerUser
    means = np.divide(surprise, lengths, out=np.full(len(lists), np.nan), where=lengths > 0)
    return means
