"""What a recipe changes for users, on lists small enough to count by hand."""

import numpy as np

from gpt4rec_es.lab.tuning.lists.gained_lost import MOST, gained_and_lost
from gpt4rec_es.metrics.lists import NOTHING

QUERIES = ([["red", "blue", "red"], ["red"], ["vase"]], [["red"], ["blue"], ["blue", "old"]])
LISTS = (np.array([[1, 2], [1, NOTHING], [3, 1]]), np.array([[2, 4], [2, 1], [3, 4]]))
TARGETS = [{4}, {1, 2}, {1}]


def test_users_are_counted_before_and_now() -> None:
    found = [
        (
            row["kind"],
            row["direction"],
            row["place"],
            row["query"] or row["item_no"],
            row["users_before"],
            row["users_now"],
        )
        for row in gained_and_lost(QUERIES, LISTS, TARGETS)
    ]
    assert found == [
        ("query", "gained", 1, "blue", 1, 2),
        ("query", "lost", 1, "red", 2, 1),  # not "vase" and "old", of one user each
        ("item", "gained", 1, 4, 0, 2),
        ("item", "gained", 2, 2, 1, 2),
        ("item", "lost", 1, 1, 3, 1),
        ("purchase", "gained", 1, 2, 0, 1),
        ("purchase", "gained", 2, 4, 0, 1),
        ("purchase", "lost", 1, 1, 2, 1),
    ]


def test_the_largest_changes_are_kept_and_equal_recipes_have_none() -> None:
    items = np.arange(40).reshape(1, 40)
    none = np.full((1, 40), NOTHING)
    rows = list(gained_and_lost(([[]], [[]]), (none, items), [set()]))
    assert [row["item_no"] for row in rows] == list(range(MOST))
    assert list(gained_and_lost((QUERIES[0],) * 2, (LISTS[0],) * 2, TARGETS)) == []
