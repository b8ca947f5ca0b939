import math

import numpy as np
import pytest

from gpt4rec_es.metrics.labels import CategoryLabels, category_labels, label_sets
from gpt4rec_es.metrics.lists import as_lists
from gpt4rec_es.metrics.variety import catalog_coverage, coverage, diversity, novelty

# Jaccard: 0-1 is 1/3, 0-2 is 0, 1-2 is 1/3, 0-4 is 1; 3 has no labels.
LABELS = label_sets({0: ["a", "b"], 1: ["b", "c"], 2: ["c", "d"], 4: ["b", "a"]}, 6)
PATH = "Beauty > Hair Care > Shampoos"


@pytest.mark.parametrize(
    ("category", "part", "labels"),
    [
        (PATH, CategoryLabels.LEAF, {"Shampoos"}),
        (PATH, CategoryLabels.PATH, {"Beauty", "Hair Care", "Shampoos"}),
        (PATH, CategoryLabels.PATH_WITHOUT_ROOT, {"Hair Care", "Shampoos"}),
        ("Comedy | Drama", CategoryLabels.LEAF, {"Comedy", "Drama"}),
        ("Comedy | Drama", CategoryLabels.PATH_WITHOUT_ROOT, {"Comedy", "Drama"}),
        ("A > B | C > D > E", CategoryLabels.PATH_WITHOUT_ROOT, {"B", "D", "E"}),
        ("A > B | C > D > E", CategoryLabels.LEAF, {"B", "E"}),
        ("", CategoryLabels.PATH, set()),
        (None, CategoryLabels.LEAF, set()),
    ],
)
def test_labels_of_a_category(category: str | None, part: CategoryLabels, labels: set[str]) -> None:
    assert category_labels(category, part) == labels


def test_diversity_by_hand() -> None:
    lists = as_lists([[0, 1, 2], [0, 4], [0, 2], [0, 1, 3], [0, 3], [3, 5], [1], []], 3)
    assert diversity(lists, LABELS).tolist() == pytest.approx(
        [
            1 - (1 / 3 + 0 + 1 / 3) / 3,
            0,
            1,
            2 / 3,  # the item without labels is ignored
            math.nan,
            math.nan,
            math.nan,
            math.nan,
        ],
        nan_ok=True,
    )


def test_diversity_does_not_depend_on_other_users() -> None:
    chance = np.random.default_rng(1)
    labels = label_sets({n: [f"l{x}" for x in chance.integers(0, 9, 3)] for n in range(300)}, 300)
    lists = np.array([chance.choice(300, 10, replace=False) for _ in range(150)])
    alone = [diversity(lists[row : row + 1], labels)[0] for row in range(150)]
    assert diversity(lists, labels).tolist() == alone
    sets = [labels.matrix[[labels.set_of[item]]].indices for item in lists[0]]
    pairs = [(set(one), set(other)) for n, one in enumerate(sets) for other in sets[:n]]
    mean = sum(len(one & other) / len(one | other) for one, other in pairs) / len(pairs)
    assert alone[0] == pytest.approx(1 - mean)


def test_coverage_by_hand() -> None:
    lists = as_lists([[1, 2], [0], [3], [], [4]], 2)
    histories = [[0], [1, 2, 3], [0, 0], [2], [3, 5]]
    assert coverage(lists, histories, LABELS).tolist() == pytest.approx(
        [1 / 2, 1 / 3, 0, 0, math.nan], nan_ok=True
    )


def test_without_any_labels_nothing_is_claimed() -> None:
    none = label_sets({}, 4)
    lists = as_lists([[0, 1]], 2)
    assert np.isnan(diversity(lists, none)).all()
    assert np.isnan(coverage(lists, [[2]], none)).all()


def test_catalog_coverage_and_novelty_by_hand() -> None:
    lists = as_lists([[0, 1], [1], []], 2)
    assert catalog_coverage(lists, 8) == 0.25
    values = novelty(lists, {0: 16, 1: 4, 99: 3}, n_users=16)
    assert values.tolist() == pytest.approx([(0 + 2) / 2, 2, math.nan], nan_ok=True)
    assert novelty(as_lists([[7]], 1), {}, n_users=16).tolist() == [4]
