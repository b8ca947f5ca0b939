"""Label sets of items (categories, brands) for diversity and coverage.

The paper does not define which part of a category path is the label. As this alone changes
diversity from 0.8 to 0.98, it is a parameter that is stored with every result.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


class CategoryLabels(StrEnum):
    """The levels of "Beauty > Hair Care > Shampoos" that are labels, without their parents."""

    LEAF = "leaf"  # the last
    PATH = "path"  # all
    PATH_WITHOUT_ROOT = "path_without_root"  # all but the first, unless it is the only one


def category_labels(category: str | None, part: CategoryLabels) -> frozenset[str]:
    """Return the labels of a category text: levels joined by " > ", alternatives by " | "."""
    labels: set[str] = set()
    for path in (category or "").split(" | "):
        levels = [level.strip() for level in path.split(" > ") if level.strip()]
        if part is CategoryLabels.LEAF:
            levels = levels[-1:]
        elif part is CategoryLabels.PATH_WITHOUT_ROOT and len(levels) > 1:
            levels = levels[1:]
        labels.update(levels)
    return frozenset(labels)


@dataclass(frozen=True, slots=True)
class LabelSets:
    """The distinct label sets of a catalog.

    set_of: by item number, the number of its set; set 0 is the empty one, for items without
    labels. matrix: [sets, labels] of 0 and 1, sparse.
    """

    set_of: NDArray[np.int64]
    matrix: Any


def label_sets(labels: Mapping[int, Collection[str]], n_items: int) -> LabelSets:
    """Return the label sets of items numbered below ``n_items``; those not in ``labels`` have none.

    Label texts are compared exactly.
    """
    sets: dict[frozenset[str], int] = {frozenset(): 0}
    set_of = np.zeros(n_items, np.int64)
    for item, several in labels.items():
        set_of[item] = sets.setdefault(frozenset(several), len(sets))
    return LabelSets(set_of, _incidence(sets))


def _incidence(sets: Iterable[frozenset[str]]) -> Any:
    numbers: dict[str, int] = {}
    rows, columns, n_sets = [], [], 0
    for row, labels in enumerate(sets):
        n_sets = row + 1
        for label in sorted(labels):
            rows.append(row)
            columns.append(numbers.setdefault(label, len(numbers)))
    shape = (n_sets, max(len(numbers), 1))
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
