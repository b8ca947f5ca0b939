"""Output of readers: records in batches, and rejects with their reasons.

A batch holds the fields that a converter requested, in its order, and the line of each record in
its file. It is independent of file formats and of the meaning of fields.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Protocol

EXCERPT_BYTES = 200


class Absent(Enum):
    """Marks a field that a record does not have, as opposed to an empty one."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


class Micros(int):
    """A time in microseconds since 1970 UTC, from a file format with a timestamp type."""


class BadRecordError(ValueError):
    """A record, or one of its fields, is invalid; rejects are counted by ``code``."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reject:
    """One rejected record. ``line``: its 1-based first line (row for Parquet)."""

    file: str
    line: int | None
    code: str
    reason: str
    excerpt: str


@dataclass(slots=True)
class Batch:
    """Valid records as parallel lists, and rejects for the others.

    raws: each record as in the file (for Parquet: its values), for excerpts. values: the requested
    fields per record; ABSENT where the record has no field of that name, a ``marks.Choice`` where
    several columns may hold it. skipped: reason -> number of lines that are no records.
    """

    lines: list[int] = field(default_factory=list)
    raws: list[object] = field(default_factory=list)
    values: list[Sequence[object]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


class Feed(Protocol):
    """One opened file of records.

    fields: the names in its header, or in its first records. size and position: bytes of the file
    on disk, and the number of bytes read so far. said: what was found out about its layout.
    """

    path: str
    fields: tuple[str, ...]
    size: int
    said: list[str]

    @property
    def position(self) -> int:
        """Bytes read so far, of ``size``."""

    def batches(self, sources: Sequence[Sequence[str]]) -> Iterator[Batch]:
        """Yield all records once, in order.

        ``sources``: for each requested field, its possible columns, in order of preference.

        Raises:
            DataError: the file is damaged, so the rest cannot be read.
        """

    def close(self) -> None:
        """Close the file."""


def excerpt(raw: object) -> str:
    """Return the first 200 bytes of a record with control characters and bad bytes escaped."""
    if isinstance(raw, bytes):
        head = raw[:EXCERPT_BYTES]
    else:
        text = raw if isinstance(raw, str) else repr(raw)
        head = text[:EXCERPT_BYTES].encode("utf-8", "surrogatepass")[:EXCERPT_BYTES]
    text = head.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else "".join(map(_escaped, text))


def shown(value: object) -> str:
    """Return ``value`` for a message: quoted, ASCII only, at most 60 characters."""
    if not isinstance(value, str | int | float | Decimal | None):
        return f"of type {type(value).__name__}"  # may be large, or deeply nested
    if isinstance(value, int) and value.bit_length() > 1000:
        return "a number of hundreds of digits"  # Python refuses to format very long integers
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _escaped(character: str) -> str:
    # Control characters, invisible ones, and those that change the direction of text.
    return character if character.isprintable() else ascii(character)[1:-1]
