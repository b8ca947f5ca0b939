"""Three ways to quote fields of CSV, and how a file shows which of them it uses.

standard: quotes in a quoted field are doubled. backslash: a backslash escapes quotes, delimiters,
line ends and itself, in quoted and other fields. none: quotes are ordinary characters.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from gpt4rec_es.feeds.ballot import Ballot
from gpt4rec_es.feeds.formats import Quoting
from gpt4rec_es.feeds.lines import Block

OPEN = "unexpected end of data"
Reader = Callable[[Iterator[str], str], list[str]]

_QUOTED = re.compile(r'"([^"\\]*(?:(?:\\.|"")[^"\\]*)*)(")?', re.DOTALL)
_ESCAPE = re.compile(r'\\(.)|""', re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "0": "", "b": "", "Z": ""}
_NULL = r"\N"
# A backslash before another character than these escapes nothing.
_NO_ESCAPE = re.compile(rb'(?<!\\)(?:\\\\)*\\[^\\"\'0nrtbZN%_,;|\t]')
_ESCAPED_QUOTE = re.compile(rb"\\[\"']")
_HINT = "Give --quoting standard, backslash or none."
_LOOK_AHEAD = 64
# Broken lines vote for the other way; whichever wins, they become rejects, not wrong values.
_MOST_AGAINST = 0.1


def read_standard(lines: Iterator[str], delimiter: str) -> list[str]:
    """Return one record from lines that end with a line feed; takes as many as it needs.

    Raises:
        csv.Error: it is malformed; the message is ``OPEN`` if a quoted field does not end.
    """
    return next(csv.reader(lines, delimiter=delimiter, strict=True))


def read_backslash(lines: Iterator[str], delimiter: str) -> list[str]:
    """Return one record with backslash escapes; see ``read_standard``."""
    text = next(lines)
    while True:
        record = _split(text.removesuffix("\n").removesuffix("\r"), delimiter)
        if record is not None:
            return record
        following = next(lines, None)
        if following is None:
            raise csv.Error(OPEN)
        text += following


def _split(text: str, delimiter: str) -> list[str] | None:
    """Return the fields of a record, or None if it does not end with this text."""
    record = []
    at = 0
    while True:
        quoted = _QUOTED.match(text, at)
        if quoted is not None:
            if quoted[2] is None:
                return None
            at, part = quoted.end(), quoted[1]
            if at < len(text) and text[at] != delimiter:
                raise csv.Error(f"'{delimiter}' expected after '\"'")
        else:
            found = _unquoted(delimiter).match(text, at)
            at, part = (found.end(), found[0]) if found else (at, "")
            if at < len(text) and text[at] == "\\":
                return None  # a backslash before the line end
        record.append(part if part == _NULL else _ESCAPE.sub(_character, part))
        if at >= len(text):
            return record
        at += 1


@lru_cache
def _unquoted(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    return re.compile(rf"[^\\{mark}]*(?:\\.[^\\{mark}]*)*", re.DOTALL)


def _character(found: re.Match[str]) -> str:
    escaped = found[1]
    return '"' if escaped is None else _LETTERS.get(escaped, escaped)


class QuotingVotes:
    """The votes of a file's lines for one of the ways to quote."""

    def __init__(self, path: str, delimiter: str, width: int) -> None:
        self._path = path
        self._delimiter = delimiter
        self._width = width
        self._escapes = Ballot("standard", "backslash")
        self._raw = Ballot("standard", "none")
        self._may_continue = False

    @property
    def is_settled(self) -> bool:
        """Return whether further lines cannot change the outcome."""
        return self._escapes.is_settled or self._raw.is_settled

    def look(self, block: Block) -> None:
        """Count the votes of the lines of a block."""
        # Only a backslash, and between tabs any quote, raises the question.
        mark = b'"' if self._delimiter == "\t" else b"\\"
        if b'"' not in block.data or mark not in block.data:
            return
        lines = block.data.split(b"\n")
        for at, line in enumerate(lines):
            if b'"' not in line:
                continue
            try:
                text = line.removesuffix(b"\r").decode()
            except UnicodeDecodeError:
                continue
            number = block.first_line + at
            standard = self._fits(read_standard, [text])
            if self._delimiter == "\t" and b"\\" not in line:
                self._raw.add(self._raw_vote(lines, at, text, standard), text, number)
            backslash = standard if b"\\" not in line else self._fits(read_backslash, [text])
            # The line after one that is no record may be the rest of it.
            if not self._may_continue:
                doubled = standard and self._is_doubled(text)
                vote = "standard" if doubled else _escape_vote(line, standard, backslash)
                self._escapes.add(vote, text, number)
            self._may_continue = not self._may_continue and not standard and not backslash

    def winner(self) -> tuple[Quoting, str | None]:
        """Return the way to quote, and the line that showed it unless it is the standard.

        Raises:
            UsageError: the lines contradict each other.
        """
        if self._escapes.winner(self._path, "quotes", _HINT, _MOST_AGAINST) == "backslash":
            return "backslash", self._escapes.example("backslash")
        if self._raw.winner(self._path, "quotes", _HINT, _MOST_AGAINST) == "none":
            return "none", self._raw.example("none")
        return "standard", None

    def _fits(self, read: Reader, texts: Sequence[str]) -> bool:
        try:
            record = read(iter([f"{text}\n" for text in texts]), self._delimiter)
        except (csv.Error, StopIteration):
            return False
        return len(record) == self._width

    def _is_doubled(self, text: str) -> bool:
        """Return whether a quote is doubled inside a quoted field that is not empty."""
        empty = f'{self._delimiter}""{self._delimiter}'
        marked = f"{self._delimiter}{text}{self._delimiter}"
        return '""' in marked.replace(empty, self._delimiter).replace(empty, "")

    def _raw_vote(self, lines: Sequence[bytes], at: int, text: str, standard: bool) -> str | None:
        is_raw = text.count(self._delimiter) == self._width - 1
        if standard:
            return "standard" if not is_raw or self._is_doubled(text) else None
        if not is_raw:
            return None
        ahead = [line.decode("utf-8", "replace") for line in lines[at : at + _LOOK_AHEAD]]
        follows = len(ahead) > 1 and ahead[1].count(self._delimiter) < self._width - 1
        return None if follows and self._fits(read_standard, ahead) else "none"


def _escape_vote(line: bytes, standard: bool, backslash: bool) -> str | None:
    if b"\\" not in line:
        return None
    if backslash and not standard:
        return "backslash"
    is_ordinary = _NO_ESCAPE.search(line) is not None
    if standard and backslash and not is_ordinary and _ESCAPED_QUOTE.search(line):
        return "backslash"
    return "standard" if standard and (is_ordinary or not backslash) else None
