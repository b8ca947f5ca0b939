"""minimum_should_match, by the rules in Elasticsearch's reference."""

import numpy as np
import pytest

from gpt4rec_es.lab.bm25.grid import required_terms
from gpt4rec_es.options.lists import SearchOptions


@pytest.mark.parametrize(
    ("given", "required"),
    [
        # For queries of 0 to 10 terms; a query of one term is no boolean query.
        (None, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ("3", [1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3]),
        ("-2", [1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("75%", [1, 1, 1, 2, 3, 3, 4, 5, 6, 6, 7]),
        ("-25%", [1, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8]),
        ("3<90%", [1, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9]),
        ("2<-25% 9<-3", [1, 1, 2, 3, 3, 4, 5, 6, 6, 7, 7]),
        ("100%", [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ],
)
def test_required_terms(given: str | None, required: list[int]) -> None:
    assert required_terms(range(11), SearchOptions(given)).tolist() == required


def test_shares_are_those_of_the_servers_single_precision() -> None:
    lengths = np.arange(2, 901)
    for percent in range(-100, 101):
        part = (lengths * percent).astype(np.float32) * np.float32(0.01)
        there = np.trunc(part) + (lengths if percent < 0 else 0)
        here = required_terms(lengths.tolist(), SearchOptions(f"0<{percent}%"))
        assert here.tolist() == np.maximum(there, 1).tolist()
