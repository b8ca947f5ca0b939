"""Titles as people would have typed them: entities, mojibake, controls and stray space repaired.

The delivered text is kept beside it (:func:`storable`); nothing here shortens or rewords a title.
"""

import re
import unicodedata

import ftfy

# Marks that leave no trace on paper: turning of direction, joiners of nothing, tags, soft hyphens.
# Zero-width (non-)joiners U+200C and U+200D stay: Persian and some emojis are spelled with them.
_INVISIBLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff\U000e0000-\U000e0fff]"
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
# Sequences to a terminal: CSI (colours, cursor), OSC (window titles), and single-letter ones.
_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[@-Z\\-_]"
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# How exports of data frames and databases write "no value".
_NO_VALUE = {"nan", "null", "none", "n/a", "#n/a", "undefined"}
_FIXES = ftfy.TextFixerConfig(explain=False, unescape_html=True)
# Text that was escaped n times needs n passes; exports do it twice at most.
_PASSES = 8


def clean_title(raw: str) -> str | None:
    """Return ``raw`` cleaned, or None when nothing is left that names a product.

    Unescapes HTML entities (only those that end in ``;``), repairs mojibake, straightens quotes,
    removes terminal sequences, control and invisible characters, collapses white space; the result
    is NFC and cleaning it again changes nothing. Nothing is left of a text without any letter or
    digit, and of the usual names for "no value" such as ``nan``.
    """
    if raw.isascii() and raw.isprintable() and "&" not in raw:
        text = " ".join(raw.split())
    else:
        text = _repair(raw)
    if text.lower() in _NO_VALUE or not any(map(str.isalnum, text)):
        return None
    return text


def storable(raw: str) -> str:
    """Return ``raw`` with the few characters that Postgres cannot store replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", raw)


def _repair(text: str) -> str:
    for _ in range(_PASSES):
        before = text
        text = _TERMINAL.sub("", text)
        text = ftfy.fix_text(text, _FIXES)
        text = _UNSTORABLE.sub("", _CONTROL.sub("", _INVISIBLE.sub("", text)))
        text = unicodedata.normalize("NFC", " ".join(text.split()))
        if text == before:
            break
    return text
