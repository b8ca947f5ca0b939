"""What readers hand on: records in batches, and what was wrong with those that are none.

A batch holds the fields a converter asked for, in its order, next to where each record stands in
its file. Nothing here knows a file format or what a field means.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Protocol

EXCERPT_BYTES = 200


class Absent(Enum):
    """Stands for a field that a record does not have, which is not the same as an empty one."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


class Micros(int):
    """A time in microseconds since 1970 UTC, from a file that has a type for times."""


class BadRecordError(ValueError):
    """A record, or one of its fields, cannot be used; ``code`` is a word to group by."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reject:
    """One record that was set aside. ``line`` is 1-based (row for Parquet), where it starts."""

    file: str
    line: int | None
    code: str
    reason: str
    excerpt: str


@dataclass(slots=True)
class Batch:
    """Records that could be read, as parallel lists, and rejects for those that could not.

    raws: each record as it stands in the file (for Parquet: its values), for excerpts.
    values: per record the fields asked for; ABSENT where it has none of that name.
    """

    lines: list[int] = field(default_factory=list)
    raws: list[object] = field(default_factory=list)
    values: list[Sequence[object]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


class Feed(Protocol):
    """One opened file of records.

    fields: the names in its header, or those of its first records. size and position: bytes of
    the file as it lies on disk, and how many of them were read.
    """

    path: str
    fields: tuple[str, ...]
    size: int

    @property
    def position(self) -> int:
        """Bytes read so far, of ``size``."""

    def batches(self, sources: Sequence[Sequence[str]]) -> Iterator[Batch]:
        """Yield all records once, in order.

        ``sources`` names, for each field wanted, the columns it may be found in, best first.

        Raises:
            DataError: the file is damaged, so what follows cannot be read.
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
        return f"of type {type(value).__name__}"  # may be large, or nest deeply
    if isinstance(value, int) and value.bit_length() > 1000:
        return "a number of hundreds of digits"  # Python refuses to write out very long ones
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _escaped(character: str) -> str:
    # Controls, but also what is invisible or turns the direction of text.
    return character if character.isprintable() else ascii(character)[1:-1]
