"""Finding forbidden phrases in texts, however many phrases there are, in one pass over a text.

Words are compared without regard to case and to what stands between them, and whole: "ass" is not
in "glass". Inflected forms are other words.
"""

import re
from collections.abc import Iterable

from ahocorasick_rs import AhoCorasick

_WORD = re.compile(r"[^\W_]+")


class Phrases:
    """A set of phrases to look for."""

    def __init__(self, phrases: Iterable[str]) -> None:
        """Take the phrases; those without a letter or digit are never found."""
        normal = {_spaced(phrase): phrase for phrase in phrases}
        normal.pop(" ", None)
        self._phrases = list(normal.values())
        self._automaton = AhoCorasick(list(normal))

    def find(self, text: str) -> str | None:
        """Return the phrase in ``text`` that ends first, as it was given; None: there is none."""
        found = self._automaton.find_matches_as_indexes(_spaced(text))
        return self._phrases[found[0][0]] if found else None


def read_phrases(text: str) -> tuple[str, ...]:
    """Return the phrases of a file: one per line, without empty lines and ``#`` comments."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(sorted({line for line in lines if line and not line.startswith("#")}))


def _spaced(text: str) -> str:
    """Return the words of ``text`` in one case, with one space before and after each."""
    words = _WORD.findall(text.casefold())
    return f" {' '.join(words)} " if words else " "
