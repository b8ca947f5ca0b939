"""Records refuse invalid values."""

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.list_rules import ListRules
from gpt4rec_es.options.lists import ANY_TERM, Fusion, SearchOptions
from gpt4rec_es.options.search_options import parse_fields


@pytest.mark.parametrize(
    "values",
    [
        {"weights": ()},
        {"weights": (("queries", 1.0), ("queries", 1.0))},
        {"weights": (("clicks", 1.0),)},
        {"weights": (("queries", -1.0), ("history_titles", 2.0))},
        {"weights": (("queries", float("nan")),)},
        {"weights": (("queries", float("inf")),)},
        {"method": "votes"},
        {"history_decay": 0.0},
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
    fusion = Fusion((("queries", 0.3), ("history_titles", 0.0)), method="ranks", history=4)
    assert Fusion.from_dict(fusion.as_dict()) == fusion
    assert Fusion.from_dict(None).is_plain
    assert fusion.uses("history_titles")
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


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2", "2"),
        ("-1", "-1"),
        ("+3", "3"),
        (" 75% ", "75%"),
        ("-025%", "-25%"),
        ("2<75%", "2<75%"),
        ("2 < -25%  9<-3", "2<-25% 9<-3"),
        ("1<1", "1<1"),
    ],
)
def test_equal_minima_are_spelled_alike(given: str, kept: str) -> None:
    options = SearchOptions(given)
    assert options.as_dict() == {"minimum_should_match": kept}
    assert SearchOptions.from_dict(options.as_dict()) == options == SearchOptions(kept)


@pytest.mark.parametrize("given", [None, "1", "0", "0%", " +1 "])
def test_where_any_term_is_enough_there_is_no_option(given: str | None) -> None:
    assert SearchOptions(given) == ANY_TERM == SearchOptions.from_dict(None)
    assert ANY_TERM.as_dict() == {}


def test_fields_are_kept_in_one_order_without_those_that_weigh_nothing() -> None:
    given = (("category", 0.25), ("brand", 2))
    options = SearchOptions(None, given)
    assert options == SearchOptions(None, given[::-1]) == SearchOptions.from_dict(options.as_dict())
    assert options.as_dict() == {"fields": {"brand": 2.0, "category": 0.25}}
    assert list(options.as_dict()["fields"]) == ["brand", "category"]
    assert SearchOptions(None, (("brand", 0.0),)) == ANY_TERM
    assert parse_fields("category:.25, brand:2") == given
    assert parse_fields("brand") == (("brand", 1.0),)
    assert parse_fields("") == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((("title", 2.0),), "'title' is no field .*the title's weight is always 1"),
        ((("colour", 2.0),), "Choose of brand, category"),
        ((("brand", -0.1),), "weight of a field is wrong"),
        ((("brand", 101.0),), "0 to 100"),
        ((("brand", float("nan")),), "weight of a field is wrong"),
    ],
)
def test_fields_that_cannot_be_searched(
    fields: tuple[tuple[str, float], ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        SearchOptions(None, fields)


@pytest.mark.parametrize("text", ["brand:x", "brand,brand"])
def test_texts_that_are_no_fields(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_fields(text)


@pytest.mark.parametrize(
    "given",
    [
        *("", " ", "many", "75 %", "%", "7.5%", "101%", "-101%", "2<", "<2", "2<3<4", "2<x"),
        *("2 3", "2 2<3", "9<-3 2<-25%", "2<1 2<2", "-1<2", "12345", "2%%", "1e1", "\u0663"),
    ],
)
def test_minima_that_elasticsearch_would_not_take_or_nothing_could_meet(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        SearchOptions(given)
    assert "must" in caught.value.hint
    assert "\n" not in str(caught.value)
