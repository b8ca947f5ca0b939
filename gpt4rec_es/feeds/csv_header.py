"""The first line of a CSV file: delimiter and names of the columns.

Columns that nobody uses do not matter here: they may be unnamed, or have one name twice.
"""

import csv
from dataclasses import dataclass

from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.feeds.batches import excerpt
from gpt4rec_es.feeds.lines import Block

_DELIMITERS = ",\t;|"
_SEPARATOR = b"sep="


@dataclass(frozen=True, slots=True)
class Header:
    """fields: names without spaces around; skipped: number of blank lines before them."""

    fields: tuple[str, ...]
    delimiter: str
    skipped: int


def read_header(path: str, block: Block) -> tuple[Header, Block]:
    """Return the header in the first block of a file, and the rest of the block.

    Blank lines, lines of delimiters only, and a line ``sep=;`` may stand before it.

    Raises:
        DataError: there are blank lines only.
        UsageError: the first other line names no columns.
    """
    rest, line, given = block.data, block.first_line, ""
    while True:
        if not rest:
            raise DataError(f"{path} is empty.", "A header must be its first line.")
        head, _, rest = rest.partition(b"\n")
        stripped = head.strip()
        line += 1
        if stripped.lower().startswith(_SEPARATOR) and len(stripped) == len(_SEPARATOR) + 1:
            given = stripped[-1:].decode("ascii", "replace")
        elif stripped.strip(_DELIMITERS.encode() + b" \t"):
            break
    fields, delimiter = _names(path, head, block.too_long, given)
    header = Header(fields, delimiter, line - block.first_line - 1)
    return header, Block(line, rest, is_last=block.is_last)


def _names(path: str, head: bytes, is_too_long: bool, given: str) -> tuple[tuple[str, ...], str]:
    delimiter = given
    try:
        text = head.decode().strip("\r\n")
        delimiter = given or max(_DELIMITERS, key=lambda one: (text.count(one), one == ","))
        names = [] if is_too_long else next(csv.reader([text], delimiter=delimiter, strict=True))
    except (UnicodeDecodeError, csv.Error, TypeError):
        names = []
    fields = tuple(name.strip() for name in names)
    if not any(fields):
        raise UsageError(
            f"{path} has no usable header: {excerpt(head)[:80]}",
            "Its first line must name the columns.",
        )
    return fields, delimiter
