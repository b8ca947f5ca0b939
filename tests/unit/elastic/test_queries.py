from hypothesis import given
from hypothesis import strategies as st

from gpt4rec_es.elastic.queries import search_text


def test_long_texts_are_cut_at_words_and_characters() -> None:
    assert search_text("  a\tb\n c ") == "a b c"
    assert search_text(" ".join(["w"] * 100)) == " ".join(["w"] * 64)
    assert len(search_text("x" * 1000)) == 900


@given(st.text())
def test_cutting_twice_changes_nothing(text: str) -> None:
    once = search_text(text)
    assert search_text(once).rstrip() == once.rstrip()
    assert len(once) <= 900
    assert len(once.split()) <= 64
