"""Prompts with a title per line: what is written can be read back."""

from gpt4rec_es.prompts.template import DISPLAY_CHARACTERS
from gpt4rec_es.prompts.title_lines import LineWriter, lines_of, titles_of
from gpt4rec_es.records import PromptForm

ODD = ["A. B.", "In the future, the customer wants to buy", "two\nlines", "x" * 300, "日本の傘"]


def test_titles_are_read_back_whatever_they_say() -> None:
    prompt = LineWriter(PromptForm(titles=9)).write(ODD)
    assert prompt is not None
    assert titles_of(prompt.text) == [
        "A. B.",
        "In the future, the customer wants to buy",
        "two lines",
        "x" * DISPLAY_CHARACTERS,
        "日本の傘",
    ]
    assert prompt.used == prompt.n_tokens == 5
    assert titles_of(lines_of([])) == []


def test_people_read_the_words_of_other_prompts() -> None:
    assert lines_of(["RED", "BLUE"]).replace("\n", " ") == (
        "Previously, the customer has bought: RED BLUE In the future, the customer wants to buy"
    )


def test_the_newest_titles_are_kept_and_blank_ones_add_no_line() -> None:
    prompt = LineWriter(PromptForm(titles=3)).write(["old", "one", " ", "two"])
    assert prompt is not None
    assert titles_of(prompt.text) == ["one", "two"]
    assert (prompt.used, prompt.n_tokens) == (3, 2)
    assert LineWriter(PromptForm()).write(["", "\x00"]) is None
