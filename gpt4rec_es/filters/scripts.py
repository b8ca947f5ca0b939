"""The scripts of a text, by Unicode blocks; only scripts used in shops are distinguished.

A letter of a block that is not listed belongs to no script, so it never excludes a text.
"""

import re

# Letters only: punctuation and digits are shared by all.
_BLOCKS = {
    "Latin": "A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff",
    "Greek": "\u0370-\u03ff\u1f00-\u1fff",
    "Cyrillic": "\u0400-\u052f",
    "Armenian": "\u0531-\u0587",
    "Hebrew": "\u05d0-\u05ea",
    "Arabic": "\u0620-\u064a\u066e-\u06d3\u0750-\u077f",
    "Devanagari": "\u0904-\u0939",
    "Bengali": "\u0985-\u09b9",
    "Tamil": "\u0b85-\u0bb9",
    "Thai": "\u0e01-\u0e30",
    "Georgian": "\u10a0-\u10ff",
    "Hangul": "\u1100-\u11ff\uac00-\ud7a3",
    "Kana": "\u3041-\u3096\u30a1-\u30fa",
    "Han": "\u3400-\u4dbf\u4e00-\u9fff",
}
# Not letters, though they lie in the Latin blocks: multiplication and division sign.
_NO_LETTERS = re.compile("[\u00d7\u00f7]")
PATTERNS = {script: f"[{letters}]" for script, letters in _BLOCKS.items()}
_COMPILED = {script: re.compile(pattern) for script, pattern in PATTERNS.items()}


def scripts_of(text: str) -> frozenset[str]:
    """Return the names of the scripts of the letters in ``text``."""
    letters = _NO_LETTERS.sub("", text)
    return frozenset(script for script, pattern in _COMPILED.items() if pattern.search(letters))
