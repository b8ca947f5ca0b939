"""CSV reader in which a malformed record does not affect other records.

An ordinary CSV parser reads all rows after an unterminated quote as one field. Here a record is one
physical line. Only a quoted field that is open at the end of the line may continue on the next
lines, and only if the whole record is well-formed, with the header's number of fields, within 64
lines and 64 KiB, and does not swallow lines that are records themselves. Otherwise its first line
alone is rejected and reading continues with the next line.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter

from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, Batch, Reject, excerpt
from gpt4rec_es.feeds.csv_header import read_header
from gpt4rec_es.feeds.fields.structured import ObjectColumn, column_value
from gpt4rec_es.feeds.formats import Quoting
from gpt4rec_es.feeds.lines import Block, blocks, too_long
from gpt4rec_es.feeds.marks import Choice
from gpt4rec_es.feeds.quoting import OPEN, read_backslash, read_standard
from gpt4rec_es.feeds.skips import SKIP_BLANK
from gpt4rec_es.feeds.source import ByteSource

_MAX_LINES = 64
_MAX_BYTES = 64 * 1024

Picker = Callable[[Sequence[str]], Sequence[object]]


class CsvFeed:
    """A CSV file with a header, which determines the delimiter.

    quoting: see ``quoting``. quoted_lines: lines that a quoted field may span; None: up to 64 that
    do not look like records.
    """

    def __init__(
        self, source: ByteSource, quoting: Quoting = "standard", quoted_lines: int | None = None
    ) -> None:
        self._source = source
        self.path = source.path
        self.size = source.size
        self.said: list[str] = []
        self.quoting = quoting
        self._max_lines = quoted_lines or _MAX_LINES
        self._may_swallow = quoted_lines is not None
        self._blocks = blocks(source.pieces())
        self.header, self._first = read_header(self.path, next(self._blocks))
        self.fields = self.header.fields
        self._blank = f"{self.header.delimiter} \t\r"
        self._needed = len(self.fields)

    @property
    def position(self) -> int:
        """Bytes read so far, of ``size``."""
        return self._source.position

    def batches(self, sources: Sequence[Sequence[str]]) -> Iterator[Batch]:
        """Yield all records once, in order; see ``batches.Feed``."""
        pick = self._picker(sources)
        carried = b""
        skipped = self.header.skipped
        for block in self._all_blocks():
            first_line = block.first_line - carried.count(b"\n")
            data = carried if block.too_long else carried + block.data
            batch = self._read_plain(first_line, data, pick)
            carried = b""
            if batch is None:
                ends = block.is_last or block.too_long
                batch, carried = self._read_by_line(first_line, data, pick, ends)
            if skipped:
                batch.skipped[SKIP_BLANK] += skipped
                skipped = 0
            yield batch
            if block.too_long:
                yield too_long(self.path, block)

    def lines(self) -> Iterator[Block]:
        """Yield the lines after the header, for a first look at them."""
        return self._all_blocks()

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _all_blocks(self) -> Iterator[Block]:
        yield self._first
        yield from self._blocks

    def _picker(self, sources: Sequence[Sequence[str]]) -> Picker:
        """Return a function that picks the requested fields of a record by position."""
        places = [
            [(self.fields.index(name), name) for name in names if name in self.fields]
            for names in sources
        ]
        self._needed = max((at + 1 for found in places for at, _ in found), default=0)
        objects = any(isinstance(name, ObjectColumn) for found in places for _, name in found)
        if len(places) > 1 and not objects and all(len(found) <= 1 for found in places):
            # Fields without a column take what stands after the record.
            fields = itemgetter(*(found[0][0] if found else -1 for found in places))
            return fields if all(places) else lambda record: fields([*record, ABSENT])

        def pick(record: Sequence[str]) -> Sequence[object]:
            picked: list[object] = []
            for found in places:
                values = [column_value(name, record[at]) for at, name in found]
                picked.append(
                    Choice(values) if len(values) > 1 else values[0] if values else ABSENT
                )
            return picked

        return pick

    def _read_plain(self, first_line: int, data: bytes, pick: Picker) -> Batch | None:
        """Return the batch of a block of lines that are records as they are, else None."""
        special = {"standard": b'"', "backslash": b'"\\', "none": b"", "auto": b'"'}[self.quoting]
        if b"\0" in data or any(special[at : at + 1] in data for at in range(len(special))):
            return None
        try:
            lines = data.decode().replace("\r\n", "\n").removesuffix("\n").split("\n")
        except UnicodeDecodeError:
            return None
        records = [line.split(self.header.delimiter) for line in lines]
        if set(map(len, records)) != {len(self.fields)} or len(self.fields) == 1:
            return None
        if not all(line.strip(self._blank) for line in lines):
            return None
        numbers = list(range(first_line, first_line + len(lines)))
        return Batch(numbers, list(lines), list(map(pick, records)))

    def _read_by_line(
        self, first_line: int, data: bytes, pick: Picker, is_last: bool
    ) -> tuple[Batch, bytes]:
        """Read a block line by line; also return its last part if it needs the next block."""
        batch = Batch()
        lines = data.removesuffix(b"\n").split(b"\n") if data else []
        cut_off = len(lines) - 1 if is_last and not data.endswith(b"\n") else -1
        blank = self._blank.encode()
        at = 0
        while at < len(lines):
            line = lines[at].removesuffix(b"\r")
            used = 1
            try:
                record: Sequence[str] = ()
                if line.strip(blank):
                    record, used = self._record(lines, at, is_last)
                if used == 0:
                    return batch, b"\n".join(lines[at:]) + b"\n"
                if not any(map(str.strip, record)):  # also quoted: "",""
                    batch.skipped[SKIP_BLANK] += 1
                else:
                    batch.values.append(pick(self._fitted(record, at == cut_off)))
                    batch.lines.append(first_line + at)
                    batch.raws.append(line if used == 1 else b"\n".join(lines[at : at + used]))
            except BadRecordError as error:
                used = 1
                batch.rejects.append(
                    Reject(self.path, first_line + at, error.code, error.reason, excerpt(line))
                )
            at += used
        return batch, b""

    def _fitted(self, record: Sequence[str], is_cut_off: bool) -> Sequence[str]:
        """Return a record of which fields may be missing that nobody uses, and empty ones added."""
        found, width = len(record), len(self.fields)
        if found == width or (self._needed <= found < width and not is_cut_off):
            return record
        if found > width and not any(map(str.strip, record[width:])):
            return record
        raise BadRecordError("field_count", f"{found} fields where the header has {width}")

    def _record(self, lines: Sequence[bytes], at: int, is_last: bool) -> tuple[Sequence[str], int]:
        """Return the record that starts at a line and its number of lines (0: needs more)."""
        line = lines[at].removesuffix(b"\r")
        if b"\0" in line:
            raise BadRecordError("nul", "the line holds NUL bytes")
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise BadRecordError("not_utf8", f"byte {error.start + 1} is not UTF-8") from None
        is_special = '"' in text or (self.quoting == "backslash" and "\\" in text)
        if self.quoting == "none" or not is_special:
            return text.split(self.header.delimiter), 1
        record, used = self._quoted(lines, at, is_last)
        if used > 1 and len(record) != len(self.fields):
            raise BadRecordError("unterminated_quote", "a quoted field does not end")
        if used > 2 and not self._may_swallow:
            self._check_swallowed(lines[at + 1 : at + used - 1])
        return record, used

    def _check_swallowed(self, lines: Sequence[bytes]) -> None:
        """Refuse a quoted field if all lines inside look like records: a quote is missing."""
        width = len(self.fields)
        mark = self.header.delimiter.encode()
        if width > 2 and all(line.count(mark) == width - 1 for line in lines):
            raise BadRecordError(
                "unterminated_quote",
                f"the quoted field holds {len(lines)} lines that look like records; if they do "
                f"belong to it, allow them by --quoted-lines {_MAX_LINES}",
            )

    def _quoted(self, lines: Sequence[bytes], at: int, is_last: bool) -> tuple[Sequence[str], int]:
        taken = 0

        def supply() -> Iterator[str]:
            nonlocal taken
            size = 0
            for line in lines[at : at + self._max_lines]:
                size += len(line)
                if taken and (size > _MAX_BYTES or b"\0" in line):
                    return
                taken += 1
                yield line.decode() + "\n"

        read = read_backslash if self.quoting == "backslash" else read_standard
        try:
            return read(supply(), self.header.delimiter), taken
        except (csv.Error, UnicodeDecodeError, StopIteration) as error:
            if taken == len(lines) - at < self._max_lines and not is_last and _is_open(error):
                return [], 0
            raise _bad_quote(error, taken) from None


def _is_open(error: Exception) -> bool:
    return str(error) == OPEN


def _bad_quote(error: Exception, lines: int) -> BadRecordError:
    if lines > 1 or not isinstance(error, csv.Error) or _is_open(error):
        return BadRecordError("unterminated_quote", "a quoted field does not end")
    if "field limit" in str(error):
        return BadRecordError("field_too_long", "a field is longer than 131,072 characters")
    if "new-line character" in str(error):
        return BadRecordError("bad_line_end", "a carriage return stands inside the line")
    return BadRecordError("bad_quote", f"quotes are not well-formed: {error}")
