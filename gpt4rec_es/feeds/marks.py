"""Marks of "no value" in shops' files: one list for all fields and all shapes of files.

Data frames, databases and spreadsheets each write a missing value in their own way. Stored as text
such a mark would be searched for and trained on, or become one user with all unknown purchases.
"""

from collections.abc import Iterable

from gpt4rec_es.feeds.batches import ABSENT

# In lower case, without spaces around. The last ones are minus, en dash and em dash.
_WORDS = r"""
    nan nat null none nil na n/a n.a. n/v k.a. #n/a #na #nv #null! #value! #ref! #div/0! undefined
    <na> <n/a> <nan> <null> <none> (null) (none) (nan) (na) (n/a) (blank) (empty) [null] {null}
    \n @null [] {} ? - -- --- . ..
"""
NO_VALUE = frozenset(_WORDS.split()) | {"", "\u2212", "\u2013", "\u2014"}
_LONGEST = 40


class Choice(tuple[object, ...]):
    """Values of several columns that may hold one field, in order of preference."""

    __slots__ = ()


def as_marks(more: Iterable[str] = ()) -> frozenset[str]:
    """Return the marks together with ``more``, each of at most 40 characters."""
    return NO_VALUE | {_key(one) for one in more}


def present(value: object, marks: frozenset[str] = NO_VALUE) -> object:
    """Return ``value``, or None where it is a mark of no value, NaN, or an empty list.

    Of a ``Choice`` the first present value; inside lists and dicts marks become None.
    """
    if type(value) is str:
        return None if len(value) <= _LONGEST and value.strip().lower() in marks else value
    if isinstance(value, float):
        return value if value == value else None  # noqa: PLR0124 - NaN differs from itself
    if isinstance(value, Choice):
        found = [present(one, marks) for one in value]
        return next((one for one in found if one is not None and one is not ABSENT), found[0])
    if isinstance(value, list):
        return [present(one, marks) for one in value] or None
    if isinstance(value, dict):
        return {key: present(one, marks) for key, one in value.items()} or None
    return value


def is_mark(text: str, marks: frozenset[str] = NO_VALUE) -> bool:
    """Return whether ``text`` is one of the marks."""
    return len(text) <= _LONGEST and _key(text) in marks


def _key(text: str) -> str:
    return text.strip().lower()
