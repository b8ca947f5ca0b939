"""How the values of a file are written: as the operator says, and as found out for one file."""

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gpt4rec_es.feeds.fields.flags import FLAGS
from gpt4rec_es.feeds.fields.numbers import DecimalMark
from gpt4rec_es.feeds.marks import NO_VALUE
from gpt4rec_es.feeds.times import DateOrder

Quoting = Literal["auto", "standard", "backslash", "none"]
QUOTINGS = ("auto", "standard", "backslash", "none")
DECIMALS = ("auto", "point", "comma")
DATE_ORDERS = ("day-first", "month-first")
# Bytes that a compressed file may unpack to, and that standard input may deliver.
MAX_SIZE = 32 * 1024**3


@dataclass(frozen=True, slots=True)
class Formats:
    """Options of an import about the values of its files; ``auto`` is found out for each file.

    time_unit: of numbers; None: that of the shape. time_format: "auto", "day-first", "month-first",
    or a pattern of strptime. no_value: further marks of no value. flags: further words for true and
    false. skip_items: ids or patterns (``*``, ``?``) of items whose records are skipped.
    skip_guests: skip interactions without a user. purchases, returns: patterns of values of the
    column ``event``. quoted_lines: lines that a quoted field may span; None: up to 64, if it does
    not span lines that look like records. max_size: bytes after unpacking; None: 32 GiB and at most
    100 times the packed size.
    """

    decimal: Literal["auto", "point", "comma"] = "auto"
    time_unit: str | None = None
    time_format: str = "auto"
    no_value: Sequence[str] = ()
    flags: Mapping[str, bool] = field(default_factory=dict)
    skip_items: Sequence[str] = ()
    skip_guests: bool = False
    purchases: Sequence[str] = ()
    returns: Sequence[str] = ()
    quoting: Quoting = "auto"
    quoted_lines: int | None = None
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How the values of one file are read; nothing is left to find out.

    unit, order, pattern: see ``times.event_micros``. integer_ids: fields whose ids are whole
    numbers, so that 20002.0 is 20002. loose_prices: an invalid price means "unknown".
    """

    marks: frozenset[str] = NO_VALUE
    decimal: DecimalMark = "point"
    unit: str = "auto"
    order: DateOrder | None = None
    pattern: str | None = None
    flags: Mapping[str, bool] = field(default_factory=lambda: FLAGS)
    integer_ids: frozenset[str] = frozenset()
    loose_prices: bool = False
    skip_items: re.Pattern[str] | None = None
    skip_guests: bool = False
    purchases: re.Pattern[str] | None = None
    returns: re.Pattern[str] | None = None


def patterns(texts: Sequence[str], flags: int = 0) -> re.Pattern[str] | None:
    """Return a pattern that matches what any of ``texts`` (with ``*`` and ``?``) does, or None."""
    return re.compile("|".join(map(fnmatch.translate, texts)), flags) if texts else None
