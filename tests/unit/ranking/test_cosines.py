"""Cosines by hand and in blocks; what is nearest, with ties."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from gpt4rec_es.ranking.cosines import Matrix, bought_matrix, cosine_blocks, nearest

N_ITEMS = 8
histories = st.lists(st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=6), max_size=9)


def matrix(users: Sequence[Sequence[int]]) -> Matrix:
    items = np.array([item for user in users for item in user], np.int32)
    return bought_matrix(items, np.cumsum([0, *map(len, users)]), N_ITEMS)


@given(histories, st.integers(0, 60))
def test_blocks_of_any_size_hold_every_cosine_once(users: list[list[int]], products: int) -> None:
    blocks = list(cosine_blocks(matrix(users), products))
    found = sparse.vstack(blocks).toarray()
    buyers = [{n for n, user in enumerate(users) if item in user} for item in range(N_ITEMS)]
    expected = np.zeros((N_ITEMS, N_ITEMS))
    for a in range(N_ITEMS):
        for b in range(N_ITEMS):
            if a != b and buyers[a] & buyers[b]:
                norm = (len(buyers[a]) * len(buyers[b])) ** 0.5
                expected[a, b] = len(buyers[a] & buyers[b]) / norm
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@given(histories, st.integers(1, 9), st.sets(st.integers(0, N_ITEMS - 1)))
def test_the_nearest_are_the_best_allowed_ones_ties_by_item(
    users: list[list[int]], most: int, allowed: set[int]
) -> None:
    whole = sparse.vstack(list(cosine_blocks(matrix(users)))).tocsr()
    is_allowed = np.array([item in allowed for item in range(N_ITEMS)])
    rows = list(nearest(whole, most, is_allowed))
    assert len(rows) == N_ITEMS
    for (items, cosines), row in zip(rows, whole.toarray(), strict=True):
        best = sorted((-row[item], item) for item in allowed if row[item] > 0)[:most]
        assert items.tolist() == [item for _, item in best]
        assert cosines.tolist() == [-value for value, _ in best]
