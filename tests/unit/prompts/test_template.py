import pytest

from gpt4rec_es.prompts.template import display_title, prompt_text, target_text, titles_in


def test_the_prompt_is_the_papers() -> None:
    assert prompt_text(["RED CANDLE", "blue teapot (2)"]) == (
        "Previously, the customer has bought: RED CANDLE. blue teapot (2). "
        "In the future, the customer wants to buy"
    )
    assert target_text("CLOCK") == " CLOCK"


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        (" two\nlines ", "two lines"),
        ("a" * 300, "a" * 200),
        ("word " * 60, ("word " * 40).strip()),
        ("a" * 199 + " bc", "a" * 199),
        ("a" * 198 + " b c", "a" * 198 + " b"),
        ("", ""),
    ],
)
def test_display_titles_are_cut_between_words(title: str, shown: str) -> None:
    assert display_title(title) == shown
    assert len(shown) <= 200


def test_titles_are_read_back_from_a_prompt() -> None:
    titles = ["Mr. Potato Head", "a b", "c.d", "St. Ives. 2 oz."]
    known = {*titles, "Potato Head", "Ives"}
    assert titles_in(prompt_text(titles), known) == titles
    assert titles_in(prompt_text(titles), {"Potato Head"}) == ["Potato Head"]
    assert titles_in(prompt_text(()), known) == []
