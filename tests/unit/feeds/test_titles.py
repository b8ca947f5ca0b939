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
        ('<span class="a-text">Ink &amp; Pen</span>', "Ink & Pen"),
        ("<p>Mug</p><p>Cup<br/>red</p>", "Mug Cup red"),
        ("H<sub>2</sub>O &lt;b&gt;bottle&lt;/b&gt;", "H2O bottle"),
        ("<script>alert('x')</script>Mug<style>p {}</style>", "Mug"),
        ('<a title="a > b" href="x">Mug</a> <!-- new -->', "Mug"),
        ('Mug <span class="a-size', "Mug"),
        ("<o:p>Mug</o:p> <x-text id='1'>big", "Mug big"),
        ("var aPageStart = (new Date()).getTime(); Lamp", "Lamp"),
        ("(function(f) {var a=1;f(a);}(function(b) { b(); })); Lamp", "Lamp"),
        ("window.top = 1; Lamp", "Lamp"),
        ("<title>Amazon.com</title>", "Amazon.com"),
        ("I <3 C++ and vector<int>, 5 < 6 > 4", "I <3 C++ and vector<int>, 5 < 6 > 4"),
        ("M8 <Black> screw, multi function tool", "M8 <Black> screw, multi function tool"),
        ("+field:(query) AND *", "+field:(query) AND *"),
    ],
)
def test_cleaning(raw: str, clean: str) -> None:
    assert clean_title(raw) == clean


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        "???",
        "-",
        "…",
        "nan",
        "NaN",
        "NULL",
        "none",
        " N/A ",
        "#N/A",
        "&amp;",
        "\x00",
        "<b></b>",
        "\U0001f525",
    ],
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
