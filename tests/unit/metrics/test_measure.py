"""All metrics at once: each has a value per user, computed from that user's list."""

from gpt4rec_es.lab.evaluation.measure import measure
from gpt4rec_es.metrics.labels import label_sets
from gpt4rec_es.metrics.lists import as_lists

NAMES = {
    *("recall", "hit_rate", "ndcg", "mrr", "novelty", "list_length", "empty_fraction"),
    *("diversity_brand", "coverage_brand"),
}


def test_all_metrics_are_there_per_user() -> None:
    values = measure(
        as_lists([[1, 2], [3], []], 2),
        [[2], [9], [1]],
        [[4], [5], [5]],
        labels={"brand": label_sets({1: ["a"], 2: ["b"], 4: ["a"]}, 10)},
        buyers={1: 4, 2: 2, 3: 4},
        n_users=4,
    )
    assert set(values) == NAMES
    assert all(each.shape == (3,) for each in values.values())
    assert values["recall"].tolist() == [1, 0, 0]
    assert values["diversity_brand"][0] == 1
    assert values["coverage_brand"][0] == 1
    assert values["novelty"][:2].tolist() == [0.5, 0]
