"""Parser of Python literals, found in some public metadata instead of JSON: {'asin': 'B1'}.

``ast`` is not used, because its compiler takes a hundred times the memory of the text and can
crash on crafted input. Supports dict, list, tuple, str, numbers, True, False and None; evaluates
nothing.
"""

import re

from gpt4rec_es.feeds.batches import BadRecordError, shown

_MAX_DEPTH = 32
# Longer than any number in a shop's record; Python refuses more than 4,300 digits.
_MAX_NUMBER = 64
_TOKEN = re.compile(
    r"\s*(?:(?P<mark>[{}\[\](),:])"
    r"|[uU]?(?P<text>'[^'\\\n]*(?:\\.[^'\\\n]*)*'|\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\")"
    r"|(?P<number>-?[0-9.][0-9.eE+-]*)"
    r"|(?P<name>True|False|None)\b)"
)
_ESCAPE = re.compile(
    r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-7]{1,3})|(.))", re.DOTALL
)
_NAMES: dict[str, object] = {"True": True, "False": False, "None": None}
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_CLOSING = {"[": "]", "(": ")", "{": "}"}


def parse_literal(text: str) -> object:
    """Return the value of the Python literal ``text``; tuples become lists.

    Raises:
        BadRecordError: it is no literal, nests deeper than 32, or has a duplicate key or a key that
        is not a string.
    """
    parser = _Parser(text)
    value = parser.value(0)
    if text[parser.at :].strip():
        raise _bad(text, parser.at)
    return value


class _Parser:
    """A recursive descent parser of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def value(self, depth: int) -> object:
        found = self._next()
        kind, part = found.lastgroup, found[found.lastgroup or 0]
        if kind == "text":
            return _unescape(part[1:-1]) if "\\" in part else part[1:-1]
        if kind == "number":
            return self._number(part)
        if kind == "name":
            return _NAMES[part]
        if depth == _MAX_DEPTH:
            raise BadRecordError("too_deep", f"values nest deeper than {_MAX_DEPTH}")
        if part == "{":
            return self._mapping(depth + 1)
        if part in "[(":
            return self._sequence(_CLOSING[part], depth + 1)
        raise _bad(self._text, self.at)

    def _next(self) -> re.Match[str]:
        found = _TOKEN.match(self._text, self.at)
        if found is None:
            raise _bad(self._text, self.at)
        self.at = found.end()
        return found

    def _accept(self, mark: str) -> bool:
        """Consume ``mark`` if it is the next token; return whether it was."""
        found = _TOKEN.match(self._text, self.at)
        if found is None or found["mark"] != mark:
            return False
        self.at = found.end()
        return True

    def _sequence(self, closing: str, depth: int) -> list[object]:
        values: list[object] = []
        while not self._accept(closing):
            values.append(self.value(depth))
            if not self._accept(","):
                self._expect(closing)
                break
        return values

    def _mapping(self, depth: int) -> dict[str, object]:
        pairs: dict[str, object] = {}
        while not self._accept("}"):
            key = self.value(depth)
            if not isinstance(key, str):
                raise BadRecordError("bad_literal", f"the key {shown(key)} is no text")
            if key in pairs:
                raise BadRecordError("duplicate_key", f"the key {shown(key)} occurs twice")
            self._expect(":")
            pairs[key] = self.value(depth)
            if not self._accept(","):
                self._expect("}")
                break
        return pairs

    def _expect(self, mark: str) -> None:
        if not self._accept(mark):
            raise _bad(self._text, self.at)

    def _number(self, token: str) -> float:
        try:
            if len(token) <= _MAX_NUMBER:
                return int(token) if token.lstrip("-").isdecimal() else float(token)
        except ValueError:
            pass
        raise BadRecordError("bad_literal", f"{shown(token)} is no number")


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    hexadecimal = found[1] or found[2] or found[3]
    if hexadecimal or found[4]:
        code = int(hexadecimal, 16) if hexadecimal else int(found[4], 8)
        return chr(code) if code < 0x110000 else "\ufffd"
    if found[5] in "\\'\"":
        return found[5]
    return _SHORT.get(found[5], found[0])


def _bad(text: str, at: int) -> BadRecordError:
    around = text[at : at + 20]
    return BadRecordError(
        "bad_literal", f"no Python literal from character {at + 1}: {shown(around)}"
    )
