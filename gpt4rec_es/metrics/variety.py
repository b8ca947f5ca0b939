"""Diversity and coverage of the paper, catalog coverage, and novelty.

Each value that has no meaning for a user (the diversity of a single item) is NaN, and means leave
such users out: 0 or 1 would be a claim.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.metrics.labels import LabelSets
from gpt4rec_es.metrics.lists import NOTHING, Lists, PerUser

# Users per step: pairs of label sets are compared in a dense table of at most (step x k) squared.
_STEP = 64


def diversity(lists: Lists, labels: LabelSets) -> PerUser:
    """Return 1 - the mean Jaccard similarity of the pairs of items in a list (GPT4Rec, 4.3).

    Only pairs in which both items have labels count; NaN where there is none.
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
    """Return the share of the labels in the history that the list has, too (GPT4Rec, 4.3).

    NaN where the history has no labels.
    """
    result = np.full(len(lists), np.nan)
    for row, (items, history) in enumerate(zip(lists, histories, strict=True)):
        wanted = _labels_of(np.asarray(history, np.int64), labels)
        if len(wanted):
            found = _labels_of(items[items != NOTHING], labels)
            result[row] = np.isin(wanted, found).mean()
    return result


def _labels_of(items: NDArray[np.int64], labels: LabelSets) -> NDArray[np.int64]:
    matrix = labels.matrix
    sets = np.unique(labels.set_of[items])
    parts = [matrix.indices[matrix.indptr[one] : matrix.indptr[one + 1]] for one in sets]
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def catalog_coverage(lists: Lists, n_active: int) -> float:
    """Return the share of ``n_active`` recommendable items that are in at least one list."""
    return len(np.unique(lists[lists != NOTHING])) / n_active


def novelty(lists: Lists, buyers: Mapping[int, int], n_users: int) -> PerUser:
    """Return the mean of log2(users / buyers) over a list: 0 for what everybody bought.

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
