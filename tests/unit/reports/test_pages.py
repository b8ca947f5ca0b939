"""Texts in pages: where lines may break, and what is escaped."""

import re

import pytest

from gpt4rec_es.reports.pages import render

BREAK = "<wbr>"


def cell(text: str) -> str:
    """Return the content of a table's cell with this text."""
    page = render("answer.html", columns=("text",), rows=[[text]], total=1)
    found = re.search("<bdi>(.*?)</bdi>", page)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("every_user has", f"every_{BREAK}user has"),
        ("__a", f"_{BREAK}_{BREAK}a"),
        ("x" * 41, BREAK.join(["x" * 20, "x" * 20, "x"])),
        ("a <b_c>", f"a &lt;b_{BREAK}c&gt;"),
    ],
)
def test_lines_break_behind_underscores_and_in_long_words(text: str, shown: str) -> None:
    assert cell(text) == shown
