from typing import Any

import pytest

from gpt4rec_es.lab.evaluation.paper_lines import learned_validation


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
