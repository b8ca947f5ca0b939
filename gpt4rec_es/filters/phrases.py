"""Search for any number of forbidden phrases in one pass over a text.

Whole words are compared, regardless of case and of the characters between words: "ass" does not
match "glass". Inflected forms are different words.
"""

import re
from collections.abc import Iterable

from ahocorasick_rs import AhoCorasick

_WORD = re.compile(r"[^\W_]+")


class Phrases:
    """A set of phrases to search for."""

    def __init__(self, phrases: Iterable[str]) -> None:
        """Build the automaton; phrases without a letter or digit never match."""
        normal = {_spaced(phrase): phrase for phrase in phrases}
        normal.pop(" ", None)
        self._phrases = list(normal.values())
        self._automaton = AhoCorasick(list(normal))

    def find(self, text: str) -> str | None:
        """Return the original form of the phrase that ends first in ``text``; None: no phrase."""
        found = self._automaton.find_matches_as_indexes(_spaced(text))
        return self._phrases[found[0][0]] if found else None


def read_phrases(text: str) -> tuple[str, ...]:
    """Return the phrases of a file: one per line, without empty lines and ``#`` comments."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(sorted({line for line in lines if line and not line.startswith("#")}))


def _spaced(text: str) -> str:
    """Return the case-folded words of ``text``, with one space before and after each."""
    words = _WORD.findall(text.casefold())
    return f" {' '.join(words)} " if words else " "
