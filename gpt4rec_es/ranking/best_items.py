"""The best items of a whole catalog for each user, by vectors in fixed point.

The search is exact: every item is scored. Users and items are taken in blocks, so memory is bounded
by 100 MB, however large the catalog; time grows with users x items (docs/architecture.md).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.ranking.vectors import (
    BestItems,
    Fixed,
    ItemVectors,
    Vectors,
    exact_products,
    scaled,
)

# Users and items of one block: 16 MB of scores, and as much again for each copy.
_USERS, _ITEMS = 128, 1 << 14
# Below every key: an item that a list may not have.
_NEVER = np.iinfo(np.int64).min


def best_items(
    user_vectors: Fixed,
    items: ItemVectors,
    most: int,
    is_allowed: NDArray[np.bool_],
    excluded: Sequence[Collection[int]],
) -> list[BestItems]:
    """Return at most ``most`` items for each user, ties by item number.

    user_vectors: (users, width). is_allowed: of ``items``, (items,). excluded: items that the list
    of each user may not have.
    """
    allowed = np.flatnonzero(is_allowed)
    found: list[BestItems] = []
    for first in range(0, len(user_vectors), _USERS):
        some = slice(first, first + _USERS)
        left_out = _places_of(excluded[some], items.item_nos[allowed])
        keys = _best_keys(user_vectors[some], items.vectors, allowed, most, left_out)
        found += [_decoded(own, items.item_nos, allowed) for own in keys]
    return found


def _places_of(
    excluded: Sequence[Collection[int]], item_nos: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return places among ``item_nos``, in their order, and the users that may not have them."""
    users = np.repeat(np.arange(len(excluded)), [len(own) for own in excluded])
    wanted = np.array([item for own in excluded for item in own], np.int64)
    if not len(wanted) or not len(item_nos):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    places = np.minimum(np.searchsorted(item_nos, wanted), len(item_nos) - 1)
    is_there = item_nos[places] == wanted
    order = np.argsort(places[is_there], kind="stable")
    return places[is_there][order], users[is_there][order]


def _best_keys(
    users: Fixed,
    vectors: Fixed,
    allowed: NDArray[np.int64],
    most: int,
    left_out: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Return the highest keys of each user, the highest first.

    A key is the score and, below it, the place counted from the end. So no two keys are equal, and
    of equal scores the first place is the best.
    """
    bits = len(allowed).bit_length()
    places_out, users_out = left_out
    best = np.zeros((len(users), 0), np.int64)
    for first in range(0, len(allowed), _ITEMS):
        block = allowed[first : first + _ITEMS]
        scores = exact_products(users, vectors[block]).astype(np.int64)
        places = np.arange(first, first + len(block))
        keys = (scores << bits) | (len(allowed) - 1 - places)
        out = slice(*np.searchsorted(places_out, [first, first + len(block)]))
        keys[users_out[out], places_out[out] - first] = _NEVER
        best = np.concatenate([best, _highest(keys, most)], axis=1)
        best = _highest(best, most)
    return -np.sort(-best, axis=1)


def _highest(keys: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the ``most`` highest keys of each row, in no order."""
    if keys.shape[1] <= most:
        return keys
    return np.partition(keys, keys.shape[1] - most, axis=1)[:, keys.shape[1] - most :]


def _decoded(
    keys: NDArray[np.int64], item_nos: NDArray[np.int64], allowed: NDArray[np.int64]
) -> BestItems:
    keys = keys[keys != _NEVER]
    bits = len(allowed).bit_length()
    places = len(allowed) - 1 - (keys & ((1 << bits) - 1))
    return BestItems(item_nos[allowed[places]], scaled(keys >> bits))


def with_best(
    vectors: Vectors,
    newest: Mapping[int, Sequence[int]],
    most: int | None,
    left_out: Sequence[Mapping[int, Collection[int]]],
    blocked: Collection[int] = (),
) -> Vectors:
    """Return ``vectors`` with the ``most`` best findable items of the users in ``newest``.

    newest: purchases by user, newest first. most: None: all items. left_out: each by user, items
    that the list may not have; blocked: those that no list may have. The vectors of all items are
    in memory.
    """
    items = vectors.items
    assert isinstance(items, ItemVectors)  # noqa: S101 -- see above
    users = [user for user in newest if user in vectors.users]
    is_allowed = items.is_findable
    if blocked:
        refused = np.fromiter(blocked, np.int64, len(blocked))
        is_allowed = is_allowed & ~np.isin(items.item_nos, refused)
    width = items.vectors.shape[1]
    own = np.array([vectors.users[user] for user in users], np.int16).reshape(len(users), width)
    excluded = [{item for one in left_out for item in one.get(user, ())} for user in users]
    found = best_items(own, items, most or len(items.item_nos), is_allowed, excluded)
    best = {}
    for user, one in zip(users, found, strict=True):
        _, is_known = items.of(newest[user])
        read = [item for item, known in zip(newest[user], is_known, strict=True) if known]
        best[user] = one._replace(after=read[0] if read else None)
    return replace(vectors, best=best)
