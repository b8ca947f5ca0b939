"""Our metrics compared with RecTools' values, made by benchmarks/rectools_values.py."""

import json
from pathlib import Path
from typing import Any

import pytest

from gpt4rec_es.lab.evaluation.measure import measure
from gpt4rec_es.lab.splits.histories import count_buyers
from gpt4rec_es.metrics.labels import label_sets
from gpt4rec_es.metrics.lists import as_lists
from gpt4rec_es.metrics.variety import catalog_coverage

FILE = Path(__file__).parents[2] / "data" / "rectools.json"


@pytest.fixture(scope="module")
def given() -> Any:
    return json.loads(FILE.read_text())


@pytest.fixture(scope="module")
def ours(given: Any) -> Any:
    labels = label_sets(dict(enumerate(given["labels"])), len(given["labels"]))
    return measure(
        as_lists(given["lists"], given["k"]),
        given["targets"],
        given["train"],
        labels={"kind": labels},
        buyers=count_buyers(given["train"]),
        n_users=len(given["train"]),
    )


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("recall", "recall"),
        ("hit_rate", "hit_rate"),
        ("ndcg", "ndcg"),
        ("mrr", "mrr"),
        ("novelty", "novelty"),
        ("diversity_kind", "diversity_of_full_lists"),
    ],
)
def test_values_per_user_are_equal(given: Any, ours: Any, name: str, theirs: str) -> None:
    values = given["values"][theirs]
    assert len(values) >= 30
    for user, value in values.items():
        assert ours[name][int(user)] == pytest.approx(value, abs=1e-9)


def test_catalog_coverage_is_equal(given: Any) -> None:
    lists = as_lists(given["lists"], given["k"])
    found = catalog_coverage(lists, len(given["labels"]))
    assert found == pytest.approx(given["catalog_coverage"])
