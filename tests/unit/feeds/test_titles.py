"""Cleaning of titles: idempotent, and None for unusable titles."""

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gpt4rec_es.feeds.fields.markup import may_hold_markup
from gpt4rec_es.feeds.fields.titles import _repair, clean_title, storable


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Blue Mug", "Blue Mug"),
        ("  Blue \t Mug\r\n", "Blue Mug"),
        ("Ros&eacute; &amp; Bar", "Rosé & Bar"),
        ("L&#39;OR&Eacute;AL", "L'ORÉAL"),
        ("Salt &amp;amp; Pepper", "Salt & Pepper"),
        ("AT&T R&D this&not &copper", "AT&T R&D this&not &copper"),  # no entities: no semicolon
        ("schÃ¶n", "schön"),
        ("cafÃ\xa0 latte", "cafà latte"),
        ("don\u2019t \u201cquote\u201d", 'don\'t "quote"'),
        ("e\u0301clair", "éclair"),
        ("Blue\u200b\u00ad Mug\ufeff", "Blue Mug"),
        ("evil \u202egnp.exe", "evil gnp.exe"),
        ("\x1b[31mred\x1b[0m \x1b]0;window\x07hat", "red hat"),
        ("\x9b31mred", "red"),
        ("bell\x07 and \x00nul", "bell and nul"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("a\u2028b", "a b"),
        ("a\u00a0b", "a b"),
        ("\u0646\u0645\u06cc\u200c\u062e", "\u0646\u0645\u06cc\u200c\u062e"),  # a Persian joiner
        ("1984", "1984"),
        ("+field:(query) AND *", "+field:(query) AND *"),
    ],
)
def test_cleaning(raw: str, clean: str) -> None:
    assert clean_title(raw) == clean


@pytest.mark.parametrize(
    "raw",
    ["", " ", "???", "-", "…", "nan", "NaN", "NULL", "none", " N/A ", "#N/A", "&amp;", "\x00"],
)
def test_what_names_nothing_is_none(raw: str) -> None:
    assert clean_title(raw) is None


@given(st.text())
def test_a_clean_title_is_storable_and_stays_clean(raw: str) -> None:
    clean = clean_title(raw)
    if clean is None:
        return
    assert clean_title(clean) == clean
    assert clean == " ".join(clean.split())
    assert unicodedata.is_normalized("NFC", clean)
    assert "\0" not in clean
    clean.encode()
    assert not [one for one in clean if unicodedata.category(one) == "Cc"]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="&<")))
def test_the_short_cut_for_plain_text_changes_nothing(raw: str) -> None:
    assume(not may_hold_markup(raw))
    assert _repair(raw) == " ".join(raw.split())


@given(st.text(st.characters(exclude_categories=[])))
def test_the_raw_title_is_kept_but_for_what_cannot_be_stored(raw: str) -> None:
    kept = storable(raw)
    kept.encode()
    assert "\0" not in kept
    assert len(kept) == len(raw)
    assert all(b in {a, "\ufffd"} for a, b in zip(raw, kept, strict=True))
