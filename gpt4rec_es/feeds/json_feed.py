"""Strict JSON lines: one object per line, no NaN, no duplicate keys, bounded nesting.

Python literals, the format of one public data set, are read too, but only if the first records of
the file are such literals.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, Batch, Reject, excerpt, shown
from gpt4rec_es.feeds.fields.structured import column_value
from gpt4rec_es.feeds.lines import Block, blocks, too_long
from gpt4rec_es.feeds.literals import parse_literal
from gpt4rec_es.feeds.marks import Choice
from gpt4rec_es.feeds.skips import SKIP_BLANK
from gpt4rec_es.feeds.source import ByteSource

# Records from which the field names are collected.
_SAMPLE = 100

Record = dict[str, object]


class JsonFeed:
    """A file of one JSON object (or Python literal of a dict) per line."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.path = source.path
        self.size = source.size
        self.said: list[str] = []
        self._blocks = blocks(source.pieces())
        self._first = next(self._blocks)
        sample = [line for line in self._first.data.split(b"\n")[:_SAMPLE] if line.strip()]
        if not sample:
            raise DataError(f"{self.path} is empty.", "Check the export that wrote it.")
        if sample[0].lstrip().startswith(b"["):
            raise UsageError(
                f"{self.path} is one JSON array.",
                "Write one object per line, as `jq -c '.[]'` does.",
            )
        as_json = [found for line in sample if (found := _attempt(line, parse_object))]
        as_literal = [found for line in sample if (found := _attempt(line, _parse_json_or_literal))]
        # A malformed line of JSON may be a valid literal, so most lines must be literals.
        self.is_literal = len(as_literal) > 2 * len(as_json)
        self._parse = _parse_json_or_literal if self.is_literal else parse_object
        records = as_literal if self.is_literal else as_json
        self.fields = tuple(dict.fromkeys(chain.from_iterable(records)))

    @property
    def position(self) -> int:
        """Bytes read so far, of ``size``."""
        return self._source.position

    def batches(self, sources: Sequence[Sequence[str]]) -> Iterator[Batch]:
        """Yield all records once, in order; see ``batches.Feed``."""
        for block in chain([self._first], self._blocks):
            yield too_long(self.path, block) if block.too_long else self._read(block, sources)

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _read(self, block: Block, sources: Sequence[Sequence[str]]) -> Batch:
        batch = Batch()
        lines = block.data.removesuffix(b"\n").split(b"\n")
        for number, line in enumerate(lines, block.first_line):
            if not line or line.isspace():
                batch.skipped[SKIP_BLANK] += 1
                continue
            try:
                record = self._parse(line)
            except BadRecordError as error:
                batch.rejects.append(
                    Reject(self.path, number, error.code, error.reason, excerpt(line))
                )
                continue
            batch.values.append([_pick(record, names) for names in sources])
            batch.lines.append(number)
            batch.raws.append(line)
        return batch


def parse_object(line: bytes) -> Record:
    """Return the JSON object that ``line`` holds.

    Raises:
        BadRecordError: it is not valid JSON, or not an object.
    """
    try:
        value = json.loads(
            line.decode(), parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicate_keys
        )
    except UnicodeDecodeError as error:
        raise BadRecordError("not_utf8", f"byte {error.start + 1} is not UTF-8") from None
    except RecursionError:
        raise BadRecordError("too_deep", "values nest too deeply") from None
    except BadRecordError:
        raise
    except ValueError as error:  # also an integer with more digits than Python converts
        raise BadRecordError("bad_json", f"no JSON: {error}") from None
    return _object(value)


def _parse_json_or_literal(line: bytes) -> Record:
    try:
        return parse_object(line)
    except BadRecordError as error:
        if error.code != "bad_json":
            raise
    return _object(parse_literal(line.decode()))


def _object(value: object) -> Record:
    if not isinstance(value, dict):
        raise BadRecordError("not_an_object", f"a record must be an object, not {shown(value)}")
    return value


def _attempt(line: bytes, parse: Callable[[bytes], Record]) -> Record | None:
    try:
        return parse(line)
    except BadRecordError:
        return None


def _refuse_constant(name: str) -> None:
    raise BadRecordError("bad_json", f"{name} is not JSON")


def _refuse_duplicate_keys(pairs: list[tuple[str, object]]) -> Record:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadRecordError("duplicate_key", f"the key {shown(twice)} occurs twice")
    return record


def _pick(record: Record, names: Sequence[str]) -> object:
    """Return the field of these names, a choice of several, or ABSENT."""
    found = [column_value(name, record[name]) for name in names if name in record]
    if len(found) > 1:
        return Choice(found)
    return found[0] if found else ABSENT
