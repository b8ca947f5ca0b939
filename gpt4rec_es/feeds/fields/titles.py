"""Cleaning of titles, brands and categories; cleaning again changes nothing.

The delivered title is stored beside the clean one, which is what is searched for and trained on.
"""

import re
import unicodedata

import ftfy

from gpt4rec_es.feeds.fields.markup import may_hold_markup, without_markup
from gpt4rec_es.feeds.marks import NO_VALUE, is_mark

# Invisible characters: direction marks, word joiners, tags, soft hyphens. Zero-width (non-)joiners
# U+200C and U+200D stay, because Persian and some emojis need them.
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
_FIXES = ftfy.TextFixerConfig(explain=False, unescape_html=True)
# Text that was escaped n times needs n passes; exports escape at most twice.
_PASSES = 8


def clean_title(raw: str, marks: frozenset[str] = NO_VALUE) -> str | None:
    """Return ``raw`` cleaned, or None if no usable title is left.

    Unescapes HTML entities (only those that end in ``;``), removes markup and scripts, repairs
    mojibake, straightens quotes, removes terminal sequences, control and invisible characters,
    collapses white space; the result is NFC and cleaning it again changes nothing. None is returned
    for a text without any letter or digit, and for a mark of no value such as ``nan``.
    """
    if raw.isascii() and raw.isprintable() and "&" not in raw and not may_hold_markup(raw):
        text = " ".join(raw.split())
    else:
        text = _repair(raw)
    if is_mark(text, marks) or not any(map(str.isalnum, text)):
        return None
    return text


def storable(raw: str) -> str:
    """Return ``raw`` with characters that Postgres cannot store replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", raw)


def _repair(text: str) -> str:
    for _ in range(_PASSES):
        before = text
        text = _TERMINAL.sub("", text)
        text = without_markup(ftfy.fix_text(text, _FIXES))
        text = _UNSTORABLE.sub("", _CONTROL.sub("", _INVISIBLE.sub("", text)))
        text = unicodedata.normalize("NFC", " ".join(text.split()))
        if text == before:
            break
    return text
