"""Detection of texts that repeat themselves, as a language model in a loop writes them.

Finds 4 of 21,818 titles of four public catalogs.
"""

import re

_WORD = re.compile(r"[^\W_]+")
# Pieces of at least two letters three times in a row, or one letter eight times, within a word:
# tokens of a word have no space between them.
_IN_WORD = re.compile(r"([^\W\d_]{2,}?)\1{2,}|([^\W\d_])\2{7,}")
# Words 1 to n that come three times in a row.
_COPIES = 3
# Texts of fewer words can name each word twice for good reasons.
_MIN_WORDS = 6


def find_repetition(text: str) -> str | None:
    """Return what ``text`` repeats, or None if it does not.

    It repeats itself if a phrase of any length comes three times in a row, if pieces of one word
    do, or if fewer than half of six or more words are distinct.
    """
    words: list[str] = _WORD.findall(text.casefold())
    for word in words:
        if found := _IN_WORD.search(word):
            return str(found.group())
    for size in range(1, len(words) // _COPIES + 1):
        equal = 0  # consecutive words that are equal to the word ``size`` places before
        for place in range(size, len(words)):
            equal = equal + 1 if words[place] == words[place - size] else 0
            if equal == size * (_COPIES - 1):
                return " ".join(words[place - size + 1 : place + 1])
    if len(words) >= _MIN_WORDS and len(set(words)) * 2 < len(words):
        return max(words, key=words.count)
    return None
