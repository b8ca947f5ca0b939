"""Similarities by definition and in blocks; nearest neighbours with ties."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.pairs import COSINE, PairCounting
from gpt4rec_es.ranking.neighbours import Matrix, Purchases, nearest, similarity_blocks

N_ITEMS = 8
# Per user: items, each with whether it was bought later than the previous one.
histories = st.lists(
    st.lists(st.tuples(st.integers(0, N_ITEMS - 1), st.booleans()), unique_by=lambda one: one[0]),
    max_size=9,
)
countings = st.builds(
    PairCounting,
    decay=st.sampled_from([1.0, 0.8, 0.5, 0.01]),
    backward=st.sampled_from([0.0, 0.3, 1.0]),
    popularity=st.floats(0, 1),
    damping=st.sampled_from([0.0, 1.0, 20.0]),
)
Users = Sequence[Sequence[tuple[int, bool]]]


def as_purchases(users: Users) -> Purchases:
    bought = [one for user in users for one in user]
    return Purchases(
        np.array([item for item, _ in bought], np.int32),
        np.cumsum([is_later for _, is_later in bought], dtype=np.int32),
        np.cumsum([0, *map(len, users)], dtype=np.int64),
        N_ITEMS,
    )


def whole(users: Users, counting: PairCounting = COSINE, pairs: int = 1000) -> Matrix:
    return sparse.vstack(list(similarity_blocks(as_purchases(users), counting, pairs))).tocsr()


def expected(users: Users, counting: PairCounting) -> np.ndarray:
    """Return similarities by definition, pair by pair."""
    together = np.zeros((N_ITEMS, N_ITEMS))
    buyers = np.zeros(N_ITEMS)
    for user in users:
        baskets = np.cumsum([is_later for _, is_later in user])
        for a, (item, _) in enumerate(user):
            buyers[item] += 1
            for b, (other, _) in enumerate(user):
                apart = int(baskets[b] - baskets[a])
                weight = counting.decay ** max(abs(apart) - 1, 0)
                if a != b and weight >= 2**-7:
                    together[item, other] += weight * (counting.backward if apart < 0 else 1)
    n = np.maximum(buyers, 1)
    p = counting.popularity
    return together / np.outer((n + counting.damping) ** (1 - p), n**p)


@given(histories, countings, st.integers(0, 60))
def test_blocks_of_any_size_hold_every_similarity_once(
    users: Users, counting: PairCounting, pairs: int
) -> None:
    found = whole(users, counting, pairs)
    assert found.shape == (N_ITEMS, N_ITEMS)
    np.testing.assert_allclose(found.toarray(), expected(users, counting), rtol=1e-5, atol=2e-6)
    assert found.toarray().max(initial=0) <= 1


@given(histories, countings, st.integers(1, 60), st.randoms())
def test_neither_blocks_nor_the_order_of_users_change_a_bit(
    users: Users, counting: PairCounting, pairs: int, random: st.DataObject
) -> None:
    shuffled = list(users)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert (
        whole(users, counting).toarray().tobytes()
        == whole(shuffled, counting, pairs).toarray().tobytes()
    )


def test_later_and_nearer_purchases_have_more_weight() -> None:
    # 0, then 1 and 2 in one basket, then 3.
    users = [[(0, True), (1, True), (2, False), (3, True)]]
    counting = PairCounting(decay=0.5, backward=0.25, popularity=0, damping=3)
    found = whole(users, counting).toarray()[:4, :4] * 4
    assert found.tolist() == [
        [0, 1, 1, 0.5],
        [0.25, 0, 1, 1],
        [0.25, 1, 0, 1],
        [0.125, 0.25, 0.25, 0],
    ]


def test_the_cosine_forgets_when_things_were_bought() -> None:
    users = [[(0, True), (1, True), (2, True)], [(1, True), (0, True)], [(1, True)]]
    found = whole(users, COSINE).toarray()
    assert found[0, 1] == found[1, 0] == pytest.approx(2 / 6**0.5)
    assert found[0, 2] == found[2, 0] == pytest.approx(1 / 2**0.5)


@given(histories, st.integers(1, 9), st.sets(st.integers(0, N_ITEMS - 1)))
def test_the_nearest_are_the_best_allowed_ones_ties_by_item(
    users: Users, most: int, allowed: set[int]
) -> None:
    similarities = whole(users, PairCounting())
    is_allowed = np.array([item in allowed for item in range(N_ITEMS)])
    rows = list(nearest(similarities, most, is_allowed))
    assert len(rows) == N_ITEMS
    for (items, values), row in zip(rows, similarities.toarray(), strict=True):
        best = sorted((-row[item], item) for item in allowed if row[item] > 0)[:most]
        assert items.tolist() == [item for _, item in best]
        assert values.tolist() == [-value for value, _ in best]


@pytest.mark.parametrize(
    "wrong",
    [{"decay": 0.0}, {"decay": 1.1}, {"backward": -0.1}, {"popularity": 1.5}, {"damping": -1.0}],
)
def test_what_would_leave_the_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        PairCounting(**wrong)


def test_manifests_without_pairs_were_counted_by_the_cosine() -> None:
    then = Fusion(pairs=COSINE).as_dict()
    del then["pairs"]
    assert Fusion.from_dict(then).pairs == COSINE
    assert Fusion.from_dict(Fusion().as_dict()) == Fusion()
