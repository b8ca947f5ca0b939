"""Queries that repeat themselves are found; titles that name a word twice are not."""

import pytest

from gpt4rec_es.filters.repetition import find_repetition


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("Cay Cay Cay Cay", "cay"),
        ("lantern red RED, red Red candle", "red"),
        ("2GB2GB2GB", "2gb2gb2gb"),
        ("10 red 10 red 10 red", "10 red"),
        ("hair oil hair oil hair oil", "hair oil"),
        ("new: soap bar for men soap bar for men soap bar for men", "soap bar for men"),
        ("CayCayCay", "caycaycay"),
        ("soap aaaaaaaaaa", "aaaaaaaaaa"),
        ("oil for hair for oil for hair", "for"),
        ("mask mud mask mud mask face mask", "mask"),
    ],
)
def test_repetition(text: str, repeated: str) -> None:
    assert find_repetition(text) == repeated


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!!!",
        "red lamp",
        "Anais Anais by Cacharel",
        "Run Lola Run (Lola Rennt)",
        "Tora! Tora! Tora!",
        "Ho ho ho Santa mug",
        "Duran Duran Duran",
        "NPK 10-10-10 fertilizer",
        "1/4 x 1/4 x 1/4 adapter",
        "Size 12 12 12 12 12",
        "\u0d15\u0d33\u0d3f\u0d2a\u0d4d\u0d2a\u0d3e\u0d1f\u0d4d\u0d1f\u0d02",  # with marks
        "American Crew American Crew Fiber Fiber 3 oz",
        "I love you, I love you not",
        "1000000 pieces 1000000",
        "deeeep conditioner",
        "Set of 3 mugs, set of 3 bowls and set of 3 plates",
    ],
)
def test_no_repetition(text: str) -> None:
    assert find_repetition(text) is None
