"""Lines of the paper's comparison: which evaluations count, and under which label."""

import datetime as dt
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpt4rec_es.db.rows.evaluations import StoredEvaluation
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.evaluation.missing_cells import _of_trained
from gpt4rec_es.lab.evaluation.paper_figures import PaperFigures
from gpt4rec_es.lab.evaluation.paper_labels import labels_of
from gpt4rec_es.lab.evaluation.paper_lines import learned_validation, line_of
from gpt4rec_es.lab.evaluation.paper_table import _counting


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"learn_validation": True}, True),
        ({"baseline": {"learn_validation": False}}, False),
        ({"reranker": {"name": "r", "learn_validation": True}}, True),
        # A product with a re-ranker, of which evaluations keep its name.
        ({"reranker": {"name": "r"}, "learn_validation": False}, False),
        ({}, None),
    ],
)
def test_the_validation_part_is_learned_by_what_made_the_lists(
    options: dict[str, Any], expected: bool | None
) -> None:
    assert learned_validation(options) is expected


def stored(number: int, method: str = "popularity", **changes: Any) -> StoredEvaluation:
    values: dict[str, Any] = {
        "evaluation_no": number,
        "split_no": 1,
        "split": "loo",
        "part": "test",
        "method": method,
        "num_queries": None,
        "generator_name": None,
        "content_hash": None,
        "options": {},
        "k1": 1.2,
        "b": 0.75,
        "index_name": "i",
        "n_eval_users": 9,
        "code_version": "1",
        "seconds": 1.0,
        "actor": "a",
        "distinct_first_queries": None,
        "created_at": dt.datetime.now(dt.UTC),
        "top_first_query_fraction": None,
    }
    return StoredEvaluation(**{**values, **changes})


def of_recipe(number: int, digest: str, **changes: Any) -> StoredEvaluation:
    recipe = {"name": "default", "hash": digest, "is_changed": True}
    return stored(number, "product", **{"options": {"recipe": recipe}, **changes})


def test_evaluations_that_measure_other_things_have_other_labels() -> None:
    of_queries: list[dict[str, Any]] = [
        {"num_queries": 5, "generator_name": "small", "options": {"recipe": {"name": "a"}}},
        {"num_queries": 5, "generator_name": "large", "options": {"recipe": {"name": "a"}}},
        {"num_queries": 5, "generator_name": "large", "options": {"recipe": {"name": "b"}}},
        {"num_queries": 9, "generator_name": "large", "options": {"recipe": {"name": "a"}}},
    ]
    found = labels_of(
        [
            of_recipe(1, "aaaaaaaaa"),
            of_recipe(2, "bbbbbbbbb"),
            of_recipe(3, "bbbbbbbbb"),
            *(stored(4 + n, "queries", **one) for n, one in enumerate(of_queries)),
        ]
    )
    assert found == {
        1: "product default (changed aaaaaa)",
        2: "product default (changed bbbbbb)",
        3: "product default (changed bbbbbb)",
        4: "queries m=5, by small, recipe a",
        5: "queries m=5, by large, recipe a",
        6: "queries m=5, by large, recipe b",
        7: "queries m=9",
    }
    numbered = [of_recipe(n, "aaaaaaaaa", num_queries=n, generator_name="g") for n in (5, 9)]
    assert [one.split(", ")[1:] for one in labels_of(numbered).values()] == [["m=5"], ["m=9"]]


def test_a_newer_evaluation_at_fewer_lengths_hides_no_other_cell() -> None:
    def metric(number: int, k: int, mean: float) -> dict[str, Any]:
        return {"evaluation_no": number, "mean": mean, "low": mean, "high": mean}

    metrics = {
        1: {("recall", 5): metric(1, 5, 0.1), ("recall", 10): metric(1, 10, 0.2)},
        2: {("recall", 5): metric(2, 5, 0.3)},
    }
    line = line_of("x", [stored(1), stored(2)], metrics, (5, 10, 20), PaperFigures(None))
    assert line.evaluation_no == 2
    cells = [(one.mean, one.evaluation_no) for one in line.cells]
    assert cells == [(0.3, 2), (0.2, 1), (None, None)]


def test_what_counts_are_all_of_all_users_or_those_chosen() -> None:
    sampled = {"options": {"sample": 3}, "n_eval_users": 3}
    learned = {"options": {"learn_validation": True}}
    several = [stored(1), stored(2), stored(3, **sampled), stored(4, "sasrec", **learned)]

    def counting(*chosen: int) -> dict[str, list[int]]:
        found = _counting(several, "loo", "test", chosen)
        return {label: [one.evaluation_no for one in own] for label, own in found.items()}

    assert counting() == {"popularity": [1, 2], "sasrec": [4]}
    assert counting(3) == {"popularity": [3], "sasrec": [4]}
    assert counting(1) == {"popularity": [1], "sasrec": [4]}
    several.append(stored(5, **learned))  # cells of one line learned from the same part
    assert counting()["popularity"] == [5]
    with pytest.raises(UsageError, match="1 and 2 are both of popularity"):
        counting(1, 2)


def test_a_folder_of_another_split_of_this_name_is_not_measured(tmp_path: Path) -> None:
    split: Any = SimpleNamespace(name="loo", content_hash="0123456789")

    def save(folder: str, digest: str, method: str = "bpr_mf") -> None:
        card = {"name": folder, "data": {"split_hash": digest}}
        document = {"method": method, "options": {}, "data": "x", "card": card}
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "baseline.json").write_text(json.dumps(document))

    def commands() -> list[str]:
        found = _of_trained("bpr_mf", split, "measure", tmp_path)
        return [one.replace(f"{tmp_path}/", "") for one in found]

    train = "gpt4rec train baseline bpr_mf --split loo"
    assert commands() == [train, "measure --trained bpr_mf-loo"]
    save("bpr_mf-loo", "another")
    beside = "bpr_mf-loo-01234567"
    assert commands() == [f"{train} --output {beside}", f"measure --trained {beside}"]
    save(beside, "0123456789")
    assert commands() == [f"measure --trained {beside}"]
    (tmp_path / "bpr_mf-loo" / "baseline.json").unlink()
    (tmp_path / "bpr_mf-loo").rmdir()
    save("bpr_mf-loo", "0123456789")
    assert commands() == ["measure --trained bpr_mf-loo"]
