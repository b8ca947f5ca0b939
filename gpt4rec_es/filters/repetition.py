"""Detection of texts that repeat themselves, as a language model in a loop writes them.

Finds 3 of 21,818 titles of four public catalogs (`python -m benchmarks.repetition`).
"""

import re

# Between white space and ASCII punctuation; combining marks belong to their word.
_WORD = re.compile(r"[^\s!-/:-@\[-`{-~]+")
# Pieces of two characters or more three times in a row, or one letter eight times, within a word:
# tokens of a word have no space between them.
_IN_WORD = re.compile(r"([^\W_]{2,}?)\1{2,}|([^\W\d_])\2{7,}")
# Copies in a row of a phrase, and of a single word: titles say "ho ho ho".
_COPIES, _COPIES_OF_ONE = 3, 4
# Texts of fewer words can name each word twice for good reasons.
_MIN_WORDS = 6


def find_repetition(text: str) -> str | None:
    """Return what ``text`` repeats, or None if it does not.

    It repeats itself if a phrase comes three times in a row, a word four times, or pieces of one
    word three times, or if fewer than half of six or more words are distinct. Numbers alone may
    repeat: they are sizes and grades.
    """
    words: list[str] = _WORD.findall(text.casefold())
    for word in words:
        for found in _IN_WORD.finditer(word):
            if _has_letter(found.group()):
                return str(found.group())
    return _repeated_phrase(words) or _frequent_word([word for word in words if _has_letter(word)])


def _repeated_phrase(words: list[str]) -> str | None:
    for size in range(1, len(words) // _COPIES + 1):
        copies = _COPIES if size > 1 else _COPIES_OF_ONE
        equal = 0  # consecutive words that are equal to the word ``size`` places before
        for place in range(size, len(words)):
            equal = equal + 1 if words[place] == words[place - size] else 0
            phrase = words[place - size + 1 : place + 1]
            if equal == size * (copies - 1) and any(map(_has_letter, phrase)):
                return " ".join(phrase)
    return None


def _frequent_word(words: list[str]) -> str | None:
    if len(words) >= _MIN_WORDS and len(set(words)) * 2 < len(words):
        return max(words, key=words.count)
    return None


def _has_letter(word: str) -> bool:
    return any(map(str.isalpha, word))
