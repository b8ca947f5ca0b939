import numpy as np
import pytest

from gpt4rec_es.metrics.labels import label_sets
from gpt4rec_es.metrics.lists import as_lists
from gpt4rec_es.metrics.summary import measure, summarise

NAMES = {
    *("recall", "hit_rate", "ndcg", "mrr", "novelty", "list_length", "empty_share"),
    *("diversity_brand", "coverage_brand"),
}


def measured() -> dict[str, np.ndarray]:
    return measure(
        as_lists([[1, 2], [3], []], 2),
        [[2], [9], [1]],
        [[4], [5], [5]],
        labels={"brand": label_sets({1: ["a"], 2: ["b"], 4: ["a"]}, 10)},
        buyers={1: 4, 2: 2, 3: 4},
        n_users=4,
    )


def test_all_metrics_are_there_per_user() -> None:
    values = measured()
    assert set(values) == NAMES
    assert all(each.shape == (3,) for each in values.values())
    assert values["recall"].tolist() == [1, 0, 0]
    assert values["diversity_brand"][0] == 1
    assert values["coverage_brand"][0] == 1
    assert values["novelty"][:2].tolist() == [0.5, 0]


def test_means_are_over_the_users_who_have_a_value() -> None:
    summary = summarise(measured(), seed=1)
    assert set(summary) == NAMES
    assert summary["recall"].mean == pytest.approx(1 / 3)
    assert summary["empty_share"].mean == pytest.approx(1 / 3)
    assert (summary["novelty"].mean, summary["novelty"].n) == (0.25, 2)
    assert summary["diversity_brand"].n == 1


def test_a_segment_has_means_of_its_own() -> None:
    summary = summarise(measured(), seed=1, users=np.array([False, True, True]))
    assert summary["recall"].mean == 0
    assert summary["list_length"].mean == 0.5
    assert "diversity_brand" not in summary
