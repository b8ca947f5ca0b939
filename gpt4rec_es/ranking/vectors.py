"""Vectors of users and items in fixed point, so that a score is the same number everywhere.

A component is an integer, a multiple of 2^-10. The last one of an item is its bias, the last one of
a user is 1. A score is then a sum of integers, which no order of additions changes: a night, a
replay and an evaluation agree to the last bit, without the network that made the vectors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.errors import DataError

_UNIT = 1 << 10  # of a component; a product of two has the unit 2^20
_LIMITS = np.iinfo(np.int16)

Fixed: TypeAlias = NDArray[np.int16]
Scores: TypeAlias = NDArray[np.float64]


def quantise(values: Any) -> Fixed:
    """Return ``values`` as multiples of 2^-10.

    Raises:
        DataError: a value is not finite, or beyond the limits, about 32 on either side.
    """
    plain = np.asarray(values, np.float64)
    if not np.isfinite(plain).all():
        raise DataError(
            "A vector of the re-ranker has values that are not finite.",
            "Train it again, with a lower --lr.",
        )
    units = np.rint(plain * _UNIT)
    if units.size and not (_LIMITS.min <= units.min() and units.max() <= _LIMITS.max):
        worst = plain.flat[np.abs(plain).argmax()]
        raise DataError(
            f"A vector of the re-ranker has the value {worst:.6g}; stored vectors hold values from "
            f"{_LIMITS.min / _UNIT:g} to {_LIMITS.max / _UNIT:.3f}.",
            "Train it again, with a lower --lr or fewer epochs.",
        )
    return units.astype(np.int16)


def dequantise(vectors: Fixed) -> NDArray[np.float32]:
    """Return the values that fixed-point vectors stand for."""
    return vectors.astype(np.float32) / np.float32(_UNIT)


def score(user_vector: Fixed, item_vectors: Fixed) -> Scores:
    """Return the score of each item: (items,) from (width,) and (items, width).

    Also (users, items) from (users, width).
    """
    return scaled(exact_products(user_vector, item_vectors))


def exact_products(user_vector: Fixed, item_vectors: Fixed) -> Scores:
    """Return scores before ``scaled``: integers below 2^46 for widths up to 65,536."""
    # Products and sums of these integers are below 2^53, so floating point is exact and quick.
    return user_vector.astype(np.float64) @ item_vectors.astype(np.float64).T


def scaled(products: NDArray[np.number[Any]]) -> Scores:
    """Return the scores that integer products stand for."""
    return products.astype(np.float64) / _UNIT**2


def with_last(vectors: Any, last: Any) -> Fixed:
    """Return fixed-point vectors with one more component: biases of items, or 1 of users."""
    plain = np.asarray(vectors, np.float64)
    column = np.broadcast_to(np.asarray(last, np.float64), (len(plain),))
    return quantise(np.concatenate([plain, column[:, None]], axis=1))


def as_bytes(vector: Fixed) -> bytes:
    """Return one vector as it is stored: int16, the lowest byte first."""
    return vector.astype("<i2").tobytes()


def from_bytes(stored: Sequence[bytes], width: int) -> Fixed:
    """Return (vectors, width) from stored ones.

    Raises:
        ValueError: a stored vector has another width.
    """
    if any(len(one) != 2 * width for one in stored):
        raise ValueError(f"a stored vector has not {width} components")
    flat = np.frombuffer(b"".join(stored), "<i2")
    return flat.reshape(len(stored), width).astype(np.int16, copy=False)


class ItemVectors(NamedTuple):
    """Vectors of items: item numbers (sorted), and (items, width), with biases last.

    is_findable: whether the item can be recommended.
    """

    item_nos: NDArray[np.int64]
    vectors: Fixed
    is_findable: NDArray[np.bool_]

    def of(self, item_nos: Sequence[int] | NDArray[np.int64]) -> tuple[Fixed, NDArray[np.bool_]]:
        """Return the vectors of ``item_nos``, and which items have one; zeros are for the others.

        An item may be named more than once.
        """
        wanted = np.asarray(item_nos, np.int64)
        if not len(self.item_nos):
            width = self.vectors.shape[1]
            return np.zeros((len(wanted), width), np.int16), np.zeros(len(wanted), np.bool_)
        places = np.minimum(np.searchsorted(self.item_nos, wanted), len(self.item_nos) - 1)
        found = self.item_nos[places] == wanted
        return np.where(found[:, None], self.vectors[places], np.int16(0)), found


class ItemLookup(Protocol):
    """Vectors of items, in memory or elsewhere."""

    def of(self, item_nos: NDArray[np.int64]) -> tuple[Fixed, NDArray[np.bool_]]:
        """Return the vectors of ``item_nos``, and which items have one."""


class BestItems(NamedTuple):
    """Items of the highest scores, best first; see best_items.py.

    after: newest purchase that was read; None: none of those that are known.
    """

    item_nos: NDArray[np.int64]
    scores: Scores
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Scorer:
    """One user's scores. best: the best items of the catalog, if these are a source."""

    items: ItemLookup
    own: Fixed
    best: BestItems

    def __call__(self, item_nos: NDArray[np.int64]) -> Scores:
        """Return the scores of these items; NaN: of an item without a vector."""
        vectors, found = self.items.of(item_nos)
        return np.where(found, score(self.own, vectors), np.nan)


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors by a re-ranker: of items, and of users by user number.

    best: by user number, if the best items are a source.
    """

    items: ItemLookup
    users: Mapping[int, Fixed]
    best: Mapping[int, BestItems] = field(default_factory=dict)

    def scorer(self, user_no: int) -> Scorer | None:
        """Return the user's scores; None: the user has no vector."""
        own = self.users.get(user_no)
        return None if own is None else Scorer(self.items, own, self.best.get(user_no, NO_BEST))


NO_BEST = BestItems(np.zeros(0, np.int64), np.zeros(0))
NO_ITEMS = ItemVectors(np.zeros(0, np.int64), np.zeros((0, 1), np.int16), np.zeros(0, np.bool_))
NO_VECTORS = Vectors(NO_ITEMS, {})
