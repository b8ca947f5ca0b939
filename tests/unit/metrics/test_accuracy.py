"""Small examples with known results, and random ones compared with trec_eval."""

from math import log2

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from gpt4rec_es.errors import UsageError
from gpt4rec_es.metrics.accuracy import accuracy
from gpt4rec_es.metrics.lists import NOTHING, Lists, PerUser, as_lists

SECOND, THIRD = 1 / log2(3), 1 / log2(4)


def test_one_target_per_user_by_hand() -> None:
    lists = as_lists([[7, 8, 9], [7, 8, 9], [7, 8, 9], [7, 8, 9], []], 3)
    found = accuracy(lists, [[7], [8], [9], [4], [7]])
    assert set(found) == {"recall", "hit_rate", "ndcg", "mrr"}
    assert found["recall"].tolist() == [1, 1, 1, 0, 0]
    assert found["hit_rate"].tolist() == [1, 1, 1, 0, 0]
    assert found["ndcg"] == pytest.approx([1, SECOND, THIRD, 0, 0])
    assert found["mrr"] == pytest.approx([1, 1 / 2, 1 / 3, 0, 0])


def test_several_targets_by_hand() -> None:
    lists = as_lists([[1, 2, 3], [1, 2, 3], [3]], 3)
    found = accuracy(lists, [[1, 3], [2, 3, 8, 9], {3, 4}])
    assert found["recall"] == pytest.approx([1, 2 / 4, 1 / 2])
    assert found["hit_rate"].tolist() == [1, 1, 1]
    # The best list for four targets has three of them in its three places.
    assert found["ndcg"] == pytest.approx(
        [
            (1 + THIRD) / (1 + SECOND),
            (SECOND + THIRD) / (1 + SECOND + THIRD),
            1 / (1 + SECOND),
        ]
    )
    assert found["mrr"] == pytest.approx([1, 1 / 2, 1])


def test_an_empty_list_is_a_miss_and_lowers_the_mean() -> None:
    found = accuracy(as_lists([[1], []], 1), [[1], [1]])
    assert {np.mean(values) for values in found.values()} == {0.5}


def test_a_list_of_equal_looking_ids_keeps_its_order() -> None:
    # trec_eval breaks ties of scores by id as text: "10" before "9". There must be no ties.
    lists = as_lists([[9, 10, 11, 100, 2]], 5)
    assert accuracy(lists, [[2]])["mrr"].tolist() == [1 / 5]
    assert accuracy(lists, [[9]])["mrr"].tolist() == [1]


def test_targets_beyond_the_catalog_of_the_lists_are_misses() -> None:
    lists = as_lists([[1, 2]], 2)
    assert accuracy(lists, [[10**9]])["recall"].tolist() == [0]


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing to measure"):
        accuracy(as_lists([], 3), [])
    with pytest.raises(UsageError, match="without held-out items"):
        accuracy(as_lists([[1], [2]], 3), [[1], []])
    with pytest.raises(UsageError, match="2 lists cannot be measured by 1"):
        accuracy(as_lists([[1], [2]], 3), [[1]])


def by_trec_eval(lists: Lists, targets: list[list[int]]) -> dict[str, PerUser]:
    """Return trec_eval's metrics. It leaves out users with empty lists, which are misses."""
    k = lists.shape[1]
    names = {
        f"recall_{k}": "recall",
        f"success_{k}": "hit_rate",
        f"ndcg_cut_{k}": "ndcg",
        "recip_rank": "mrr",
    }
    wanted = {str(row): dict.fromkeys(map(str, items), 1) for row, items in enumerate(targets)}
    # trec_eval sorts by score, and ties by id: distinct scores keep the order that is measured.
    given = {
        str(row): {str(item): float(k - place) for place, item in enumerate(items)}
        for row, padded in enumerate(lists.tolist())
        if (items := [item for item in padded if item != NOTHING])
    }
    measures = {"recip_rank", f"recall.{k}", f"success.{k}", f"ndcg_cut.{k}"}
    found = pytrec_eval.RelevanceEvaluator(wanted, measures).evaluate(given)
    values = {name: np.zeros(len(lists)) for name in names.values()}
    for row, measured in found.items():
        for measure, name in names.items():
            values[name][int(row)] = measured[measure]
    return values


users = st.lists(
    st.tuples(
        st.lists(st.integers(0, 20), unique=True, max_size=6),
        st.lists(st.integers(0, 30), unique=True, min_size=1, max_size=9),
    ),
    min_size=1,
    max_size=8,
)


@given(users)
def test_equals_trec_eval(rows: list[tuple[list[int], list[int]]]) -> None:
    lists = as_lists([items for items, _ in rows], 6)
    targets = [items for _, items in rows]
    found, expected = accuracy(lists, targets), by_trec_eval(lists, targets)
    assert found.keys() == expected.keys()
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], atol=1e-12)
