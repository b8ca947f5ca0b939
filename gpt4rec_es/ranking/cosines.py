"""Which items the same users buy, as cosines between items' buyers.

The one place of this arithmetic: the night's neighbours and the baseline come from it. Worked on
in blocks of items, because all pairs at once may not fit into memory.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# A csr_array of float32; SciPy carries no types.
Matrix: TypeAlias = Any

# Products per block, which also bounds the pairs it may hold, at 8 bytes each and some copies.
_BLOCK = 8_000_000


def bought_matrix(items: NDArray[np.int32], starts: NDArray[np.int64], n_items: int) -> Matrix:
    """Return [users, items] with 1 where bought.

    items: item numbers below ``n_items``, user after user, each at most once per user; ``starts``
    has where each user's begin, and their total at the end.
    """
    ones = np.ones(len(items), np.float32)
    # Wide starts would make all indexes twice as wide.
    width = np.int32 if len(items) < np.iinfo(np.int32).max else np.int64
    parts = (ones, items, starts.astype(width))
    return sparse.csr_array(parts, shape=(len(starts) - 1, n_items))


def cosine_blocks(bought: Matrix, products: int = _BLOCK) -> Iterator[Matrix]:
    """Yield blocks of rows of [items, items], in order: together / sqrt(buyers * buyers).

    The diagonal is empty. ``products``: multiplications per block; one item may need more.
    """
    by_item = bought.tocsc()
    buyers = np.diff(by_item.indptr).astype(np.float32)
    scale = (1 / np.sqrt(np.maximum(buyers, 1))).astype(np.float32)
    lengths = np.diff(bought.indptr)
    # Each purchase of an item costs a pass over its buyer's purchases.
    work = np.concatenate(([0], np.cumsum(lengths[by_item.indices])))[by_item.indptr]
    first, n_items = 0, bought.shape[1]
    while first < n_items:
        last = max(int(np.searchsorted(work, work[first] + products, "right")) - 1, first + 1)
        together = (by_item[:, first:last].T.tocsr() @ bought).tocsr()
        rows = np.repeat(np.arange(first, last, dtype=np.int32), np.diff(together.indptr))
        # In place: a product with diagonal matrices would copy the block, and takes longer.
        together.data *= scale[rows]
        together.data *= scale[together.indices]
        together.data[rows == together.indices] = 0
        together.eliminate_zeros()
        yield together
        first = last


def nearest(
    block: Matrix, most: int, is_allowed: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
    """Yield for each row of ``block`` its ``most`` allowed items with the highest cosines.

    As (items, cosines), best first, equal ones by item.
    """
    for first, last in zip(block.indptr[:-1], block.indptr[1:], strict=True):
        items, cosines = block.indices[first:last], block.data[first:last]
        kept = is_allowed[items]
        items, cosines = items[kept], cosines[kept]
        if len(items) > most:
            bar = np.partition(cosines, len(cosines) - most)[len(cosines) - most]
            kept = cosines >= bar  # ties with the last place are looked at, too
            items, cosines = items[kept], cosines[kept]
        order = np.lexsort((items, -cosines))[:most]
        yield items[order], cosines[order]
