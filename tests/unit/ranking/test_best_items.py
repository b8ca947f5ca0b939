"""The best items of a catalog: those of a whole sort, whatever the blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4rec_es.ranking import best_items as module
from gpt4rec_es.ranking.best_items import best_items, with_best
from gpt4rec_es.ranking.vectors import ItemVectors, Vectors, score, with_last

TWO = st.tuples(*[st.integers(-2, 2)] * 2)


@given(
    st.dictionaries(st.integers(0, 60), st.tuples(TWO, st.booleans()), max_size=25),
    st.lists(st.tuples(TWO, st.sets(st.integers(0, 60), max_size=6)), max_size=5),
    st.integers(1, 12),
    st.sampled_from([(1, 1), (2, 7), (128, 1 << 14)]),
)
def test_they_are_those_of_a_whole_sort(
    catalog: dict[int, tuple[tuple[int, int], bool]],
    users: list[tuple[tuple[int, int], set[int]]],
    most: int,
    blocks: tuple[int, int],
) -> None:
    numbers = sorted(catalog)
    values = np.array([catalog[one][0] for one in numbers]).reshape(len(numbers), 2)
    findable = np.array([catalog[one][1] for one in numbers], np.bool_)
    items = ItemVectors(np.array(numbers, np.int64), with_last(values, 0.5), findable)
    own = with_last(np.array([one for one, _ in users]).reshape(len(users), 2), 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_USERS", blocks[0])
        patch.setattr(module, "_ITEMS", blocks[1])
        found = best_items(own, items, most, findable, [out for _, out in users])
    assert len(found) == len(users)
    for one, vector, (_, excluded) in zip(found, own, users, strict=True):
        scores = dict(zip(numbers, score(vector, items.vectors).tolist(), strict=True))
        allowed = [n for n in numbers if catalog[n][1] and n not in excluded]
        expected = sorted(allowed, key=lambda n: (-scores[n], n))[:most]
        assert one.item_nos.tolist() == expected
        assert one.scores.tolist() == [scores[n] for n in expected]


def test_users_get_allowed_items_and_the_newest_known_purchase() -> None:
    vectors = Vectors(
        ItemVectors(
            np.array([1, 2, 3, 5]),
            with_last([[1.0], [2.0], [3.0], [4.0]], 0),
            np.array([True, True, True, False]),
        ),
        {7: with_last([[2.0]], 1)[0]},
    )
    newest = {7: [9, 2], 8: [1]}  # item 9 has no vector, user 8 neither
    found = with_best(vectors, newest, 10, [{7: {2}}, {8: {1}}], blocked={3})
    assert found.best.keys() == {7}
    best = found.best[7]
    assert (best.item_nos.tolist(), best.scores.tolist(), best.after) == ([1], [2.0], 2)
    scorer = found.scorer(7)
    assert scorer is not None
    assert scorer.best == best
    nothing_known = with_best(vectors, {7: [9]}, None, []).best[7]
    assert (nothing_known.item_nos.tolist(), nothing_known.after) == ([3, 2, 1], None)
