"""CSV reader in which a malformed record does not affect other records.

An ordinary CSV parser reads all rows after an unterminated quote as one field. Here a record is one
physical line. Only a quoted field that is open at the end of the line may continue on the next
lines, and only if the whole record is well-formed, with the header's number of fields, within 64
lines and 64 KiB. Otherwise its first line alone is rejected and reading continues with the next
line.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter

from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, Batch, Reject, excerpt
from gpt4rec_es.feeds.lines import Block, blocks, too_long
from gpt4rec_es.feeds.source import ByteSource

_MAX_LINES = 64
_MAX_BYTES = 64 * 1024
_DELIMITERS = ",\t;|"

Picker = Callable[[Sequence[str]], Sequence[object]]


class CsvFeed:
    """A CSV file with a header, which determines the delimiter."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.path = source.path
        self.size = source.size
        self._blocks = blocks(source.pieces())
        first = next(self._blocks)
        head, _, rest = first.data.partition(b"\n")
        self.fields, self._delimiter = self._header(head, first.too_long)
        self._first = Block(2, rest, is_last=first.is_last)

    @property
    def position(self) -> int:
        """Bytes read so far, of ``size``."""
        return self._source.position

    def batches(self, sources: Sequence[Sequence[str]]) -> Iterator[Batch]:
        """Yield all records once, in order; see ``batches.Feed``."""
        pick = self._picker(sources)
        carried = b""
        for block in self._all_blocks():
            first_line = block.first_line - carried.count(b"\n")
            data = carried if block.too_long else carried + block.data
            batch = self._read_unquoted(first_line, data, pick)
            carried = b""
            if batch is None:
                ends = block.is_last or block.too_long
                batch, carried = self._read_by_line(first_line, data, pick, ends)
            yield batch
            if block.too_long:
                yield too_long(self.path, block)

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _all_blocks(self) -> Iterator[Block]:
        yield self._first
        yield from self._blocks

    def _header(self, head: bytes, too_long: bool) -> tuple[tuple[str, ...], str]:
        try:
            text = head.decode().strip("\r\n")
            if not text.strip():
                raise DataError(f"{self.path} is empty.", "A header must be its first line.")
            delimiter = max(_DELIMITERS, key=lambda one: (text.count(one), one == ","))
            names = [] if too_long else next(csv.reader([text], delimiter=delimiter, strict=True))
        except (UnicodeDecodeError, csv.Error):
            names = []
        fields = tuple(name.strip() for name in names)
        if not fields or len(set(fields)) < len(fields):
            raise UsageError(
                f"{self.path} has no usable header: {excerpt(head)[:80]}",
                "Its first line must name the columns, each once.",
            )
        return fields, delimiter

    def _picker(self, sources: Sequence[Sequence[str]]) -> Picker:
        """Return a function that picks the requested fields of a record by position."""
        width = len(self.fields)
        places = []
        for names in sources:
            found = [self.fields.index(name) for name in names if name in self.fields]
            places.append(found[0] if found else width)
        if len(places) > 1 and width not in places:
            return itemgetter(*places)

        def pick(record: Sequence[str]) -> Sequence[object]:
            return [record[place] if place < width else ABSENT for place in places]

        return pick

    def _read_unquoted(self, first_line: int, data: bytes, pick: Picker) -> Batch | None:
        """Return the batch of a block without quotes whose lines all have all fields, else None."""
        if b'"' in data or b"\0" in data:
            return None
        try:
            lines = data.decode().replace("\r\n", "\n").removesuffix("\n").split("\n")
        except UnicodeDecodeError:
            return None
        records = [line.split(self._delimiter) for line in lines]
        if set(map(len, records)) != {len(self.fields)} or len(self.fields) == 1:
            return None
        numbers = list(range(first_line, first_line + len(lines)))
        return Batch(numbers, list(lines), list(map(pick, records)))

    def _read_by_line(
        self, first_line: int, data: bytes, pick: Picker, is_last: bool
    ) -> tuple[Batch, bytes]:
        """Read a block line by line; also return its last part if it needs the next block."""
        batch = Batch()
        lines = data.removesuffix(b"\n").split(b"\n") if data else []
        at = 0
        while at < len(lines):
            line = lines[at].removesuffix(b"\r")
            used = 1
            try:
                if line:
                    record, used = self._record(lines, at, is_last)
                    if used == 0:
                        return batch, b"\n".join(lines[at:]) + b"\n"
                    batch.values.append(pick(record))
                    batch.lines.append(first_line + at)
                    batch.raws.append(line if used == 1 else b"\n".join(lines[at : at + used]))
            except BadRecordError as error:
                batch.rejects.append(
                    Reject(self.path, first_line + at, error.code, error.reason, excerpt(line))
                )
            at += used
        return batch, b""

    def _record(self, lines: Sequence[bytes], at: int, is_last: bool) -> tuple[Sequence[str], int]:
        """Return the record that starts at a line and its number of lines (0: needs more)."""
        line = lines[at].removesuffix(b"\r")
        if b"\0" in line:
            raise BadRecordError("nul", "the line holds NUL bytes")
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise BadRecordError("not_utf8", f"byte {error.start + 1} is not UTF-8") from None
        used = 1
        if '"' in text:
            record, used = self._quoted(lines, at, is_last)
        else:
            record = text.split(self._delimiter)
        if used and len(record) != len(self.fields):
            found, wanted = len(record), len(self.fields)
            raise BadRecordError("field_count", f"{found} fields where the header has {wanted}")
        return record, used

    def _quoted(self, lines: Sequence[bytes], at: int, is_last: bool) -> tuple[Sequence[str], int]:
        taken = 0

        def supply() -> Iterator[str]:
            nonlocal taken
            size = 0
            for line in lines[at : at + _MAX_LINES]:
                size += len(line)
                if taken and (size > _MAX_BYTES or b"\0" in line):
                    return
                taken += 1
                yield line.decode() + "\n"

        parser = csv.reader(supply(), delimiter=self._delimiter, strict=True)
        try:
            return next(parser), taken
        except (csv.Error, UnicodeDecodeError, StopIteration) as error:
            if taken == len(lines) - at < _MAX_LINES and not is_last and _is_open(error):
                return [], 0
            raise _bad_quote(error, taken) from None


def _is_open(error: Exception) -> bool:
    return str(error) == "unexpected end of data"


def _bad_quote(error: Exception, lines: int) -> BadRecordError:
    if lines > 1 or not isinstance(error, csv.Error) or _is_open(error):
        return BadRecordError("unterminated_quote", "a quoted field does not end")
    if "field limit" in str(error):
        return BadRecordError("field_too_long", "a field is longer than 131,072 characters")
    if "new-line character" in str(error):
        return BadRecordError("bad_line_end", "a carriage return stands inside the line")
    return BadRecordError("bad_quote", f"quotes are not well-formed: {error}")
