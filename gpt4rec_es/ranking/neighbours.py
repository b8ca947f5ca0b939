"""Item-to-item similarities from co-purchases: pairs of purchases, counted and normalised.

The night's neighbours and the co-purchase baseline both use it. A pair of one user's purchases is
weighted by their distance and order (as in sequential
rules, Kamehkhosh, Jannach and Ludewig 2017); sums are divided by numbers of buyers (asymmetric
cosine, Aiolli 2013). Computed in blocks, because all pairs may not fit into memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from gpt4rec_es.options.pairs import PairCounting

# A csr_array; SciPy has no type stubs.
Matrix: TypeAlias = Any

# Pairs of purchases per block; computing one takes about 40 bytes.
_BLOCK = 1_000_000
# Minimum weight of a pair; smaller ones are dropped.
_LEAST = 2.0**-7
# Weights are multiples of this: their sums are exact, whatever the order of users.
_GRAIN = 2.0**-20


@dataclass(frozen=True, slots=True)
class Purchases:
    """All users' purchases, user after user, each item at most once per user.

    items: numbers below ``n_items``. baskets: basket numbers, oldest first and continued from user
    to user, so that they never decrease; purchases of equal time share a basket. starts: index of
    each user's first purchase, and the total at the end.
    """

    items: NDArray[np.int32]
    baskets: NDArray[np.int32]
    starts: NDArray[np.int64]
    n_items: int

    @classmethod
    def at_times(
        cls, items: ArrayLike, moments: ArrayLike, starts: ArrayLike, n_items: int
    ) -> "Purchases":
        """Return purchases made at ``moments``, numbers that are equal for equal times."""
        is_next = np.diff(np.asarray(moments, np.int64), prepend=0) != 0
        return cls(
            np.array(items, np.int32),
            np.cumsum(is_next, dtype=np.int32),
            np.array(starts, np.int64),
            n_items,
        )


def similarity_blocks(
    purchases: Purchases, counting: PairCounting, pairs: int = _BLOCK
) -> Iterator[Matrix]:
    """Yield blocks of rows of [items, items], float32 in 0..1, in order of the rows' items.

    Row i has the similarity of each j to i: the sum of pair weights over users with both items,
    divided by (buyers of i + damping)^(1 - p) x (buyers of j)^p. The diagonal is empty. pairs:
    pairs of purchases per block; more if one user has more.
    """
    n_items = purchases.n_items
    if not len(purchases.items):
        yield sparse.csr_array((n_items, n_items), dtype=np.float32)
    buyers = np.bincount(purchases.items, minlength=n_items).astype(np.float64)
    from_item = (np.maximum(buyers, 1) + counting.damping) ** (counting.popularity - 1)
    to_item = np.maximum(buyers, 1) ** -counting.popularity
    first, unfinished = 0, None
    for start, together in _counted(purchases, buyers, counting, pairs):
        head = together[[0]] if unfinished is None else together[[0]] + unfinished
        block = sparse.vstack([head, together[1:]], format="csr")
        first, unfinished = start + block.shape[0] - 1, block[[-1]]
        yield _normalised(block[:-1], from_item[start:first], to_item)
    if unfinished is not None:
        yield _normalised(unfinished, from_item[first:], to_item)


def _counted(
    purchases: Purchases, buyers: NDArray[np.float64], counting: PairCounting, most: int
) -> Iterator[tuple[int, Matrix]]:
    """Yield (first item, weights of pairs as [items from the first on, items]).

    A block starts with the last item of the previous one, which may be incomplete there.
    """
    n_items, baskets = purchases.n_items, purchases.baskets
    weights, reach = _weights(counting)
    lows, counts = _paired_ranges(purchases, reach if counting.decay < 1 else None)
    by_item = np.argsort(purchases.items, kind="stable").astype(lows.dtype)
    work = np.concatenate(([0], np.cumsum(counts[by_item], dtype=np.int64)))
    ends = np.cumsum(buyers).astype(np.int64)
    done, first = 0, 0
    while done < len(by_item):
        upto = max(int(np.searchsorted(work, work[done] + most, "right")) - 1, done + 1)
        chosen = by_item[done:upto]
        paired = counts[chosen]
        begins = work[done:upto] - work[done]
        others = np.arange(paired.sum()) + np.repeat(lows[chosen] - begins, paired)
        apart = baskets[others] - np.repeat(baskets[chosen], paired)
        values = weights[np.clip(apart, -reach, reach) + reach]
        values[others == np.repeat(chosen, paired)] = 0
        rows = sparse.csr_array(
            (values, purchases.items[others], np.concatenate((begins, [len(others)]))),
            shape=(len(chosen), n_items),
        )
        last = n_items - 1 if upto == len(by_item) else int(purchases.items[chosen[-1]])
        bounds = np.clip(np.concatenate(([done], ends[first : last + 1])), done, upto) - done
        of_items = sparse.csr_array(
            (np.ones(len(chosen)), np.arange(len(chosen)), bounds),
            shape=(last + 1 - first, len(chosen)),
        )
        yield first, of_items @ rows
        done, first = upto, last


def _paired_ranges(
    purchases: Purchases, reach: int | None
) -> tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]:
    """Return, for each purchase, the first purchase it is paired with, and the number of these.

    They are purchases of the same user less than ``reach`` baskets away; None: all of the user's.
    """
    starts, baskets = purchases.starts, purchases.baskets
    lengths = np.diff(starts)
    lows, highs = np.repeat(starts[:-1], lengths), np.repeat(starts[1:], lengths)
    if reach is not None:
        np.maximum(lows, np.searchsorted(baskets, baskets - (reach - 1), "left"), out=lows)
        np.minimum(highs, np.searchsorted(baskets, baskets + (reach - 1), "right"), out=highs)
    # The smallest integer type that fits, because the arrays have one entry per purchase.
    width = np.int32 if len(baskets) < np.iinfo(np.int32).max else np.int64
    return lows.astype(width), (highs - lows).astype(width)


def _weights(counting: PairCounting) -> tuple[NDArray[np.float64], int]:
    """Return the weight of a pair by the distance in baskets, from -reach to reach.

    Larger distances have the weight of the ends.
    """
    distances = [1.0]
    if counting.decay < 1:
        while distances[-1] >= _LEAST:
            distances.append(distances[-1] * counting.decay)
        distances[-1] = 0.0
    later = np.array(distances)
    both = np.concatenate((later[::-1] * counting.backward, [1.0], later))
    return np.round(both / _GRAIN) * _GRAIN, len(distances)


def _normalised(
    together: Matrix, from_item: NDArray[np.float64], to_item: NDArray[np.float64]
) -> Matrix:
    """Return sums of weights as similarities, without zeros."""
    together.data *= np.repeat(from_item, np.diff(together.indptr))
    together.data *= to_item[together.indices]
    found = together.astype(np.float32)
    found.eliminate_zeros()
    return found


def strongest(
    purchases: Purchases, counting: PairCounting, most: int, is_allowed: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
    """Yield ``nearest`` of each item, in order of the items."""
    for block in similarity_blocks(purchases, counting):
        yield from nearest(block, most, is_allowed)


def nearest(
    block: Matrix, most: int, is_allowed: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
    """Yield for each row of ``block`` its ``most`` allowed items with the highest similarities.

    As (items, similarities), best first, ties by item number.
    """
    for first, last in zip(block.indptr[:-1], block.indptr[1:], strict=True):
        items, similarities = block.indices[first:last], block.data[first:last]
        kept = is_allowed[items]
        items, similarities = items[kept], similarities[kept]
        if len(items) > most:
            bar = np.partition(similarities, len(similarities) - most)[len(similarities) - most]
            kept = similarities >= bar  # includes ties with the last place
            items, similarities = items[kept], similarities[kept]
        order = np.lexsort((items, -similarities))[:most]
        yield items[order], similarities[order]
