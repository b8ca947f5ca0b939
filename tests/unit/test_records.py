"""Records refuse values that nothing could be done with."""

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.records import Fusion, ListRules


@pytest.mark.parametrize(
    "values",
    [
        {"weights": ()},
        {"weights": (("queries", 1.0), ("queries", 1.0))},
        {"weights": (("clicks", 1.0),)},
        {"weights": (("queries", -1.0), ("titles", 2.0))},
        {"weights": (("queries", float("nan")),)},
        {"weights": (("queries", float("inf")),)},
        {"method": "votes"},
        {"decay": 0.0},
        {"query_decay": 1.1},
        {"candidates": 0},
        {"query_hits": 0},
        {"rank_constant": 0},
    ],
)
def test_a_fusion_that_cannot_be(values: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Fusion(**values)  # type: ignore[arg-type]


def test_a_fusion_is_read_as_it_was_written() -> None:
    fusion = Fusion((("queries", 0.3), ("titles", 0.0)), method="ranks", history=4)
    assert Fusion.from_dict(fusion.as_dict()) == fusion
    assert Fusion.from_dict(None).is_plain
    assert fusion.uses("titles")
    assert not fusion.uses("co_purchase")


@pytest.mark.parametrize(
    "values",
    [
        {"min_price": -1.0},
        {"max_price": float("nan")},
        {"min_price": 2.0, "max_price": 1.0},
        {"max_per_brand": 0},
        {"shown_days": -1},
        {"categories": ("a", " ")},
    ],
)
def test_rules_that_cannot_be(values: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        ListRules(**values)  # type: ignore[arg-type]


def test_rules_name_what_is_set() -> None:
    assert ListRules().as_dict() == {}
    assert ListRules(min_price=0.0, shown_days=2).as_dict() == {"min_price": 0.0, "shown_days": 2}
