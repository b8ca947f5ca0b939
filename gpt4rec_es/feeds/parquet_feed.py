"""Parquet reader, a few thousand rows at a time; an invalid value rejects its row only."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gpt4rec_es.errors import DataError
from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, Batch, Micros, Reject, excerpt
from gpt4rec_es.feeds.fields.structured import ObjectColumn, column_value
from gpt4rec_es.feeds.marks import Choice
from gpt4rec_es.feeds.source import open_file, printable

_ROWS = 8192
# Unit of a timestamp column -> microseconds as (multiplier, divisor).
_UNITS = {"s": (1_000_000, 1), "ms": (1000, 1), "us": (1, 1), "ns": (1, 1000)}


class ParquetFeed:
    """A Parquet file; its "line" numbers are 1-based row numbers."""

    def __init__(self, path: str | Path) -> None:
        self.path = printable(path)
        self._file = open_file(path)
        self.size = Path(path).stat().st_size
        self._rows_read = 0
        self.said: list[str] = []
        try:
            self._parquet = pq.ParquetFile(self._file)
        except (pa.ArrowException, OSError) as error:
            self._file.close()
            raise self._damaged(error) from error
        self.fields = tuple(self._parquet.schema_arrow.names)

    @property
    def position(self) -> int:
        """Bytes read so far, of ``size``, estimated from the fraction of rows."""
        return self.size * self._rows_read // max(int(self._parquet.metadata.num_rows), 1)

    def batches(self, sources: Sequence[Sequence[str]]) -> Iterator[Batch]:
        """Yield all records once, in order; see ``batches.Feed``."""
        chosen = [[name for name in names if name in self.fields] for names in sources]
        wanted = list(dict.fromkeys(chain.from_iterable(chosen)))
        try:
            for rows in self._parquet.iter_batches(batch_size=_ROWS, columns=wanted):
                yield self._batch(rows, chosen)
                self._rows_read += rows.num_rows
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _batch(self, rows: Any, chosen: Sequence[Sequence[str]]) -> Batch:
        columns = [_field(rows, names) for names in chosen]
        batch = Batch()
        for number, record in enumerate(zip(*columns, strict=True), self._rows_read + 1):
            broken = next((one for one in record if isinstance(one, BadRecordError)), None)
            if broken is None:
                batch.lines.append(number)
                batch.raws.append(record)
                batch.values.append(record)
            else:
                rest = [one for one in record if one is not broken]
                batch.rejects.append(
                    Reject(self.path, number, broken.code, broken.reason, excerpt(rest))
                )
        return batch

    def _damaged(self, error: Exception) -> DataError:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return DataError(f"{self.path} is no Parquet file that can be read: {reason}")


def _field(rows: Any, names: Sequence[str]) -> list[Any]:
    columns = [
        [column_value(name, value) for value in _values(rows.column(name))]
        if isinstance(name, ObjectColumn)
        else _values(rows.column(name))
        for name in names
    ]
    if len(columns) < 2:
        return columns[0] if columns else [ABSENT] * rows.num_rows
    return [
        next((one for one in values if isinstance(one, BadRecordError)), Choice(values))
        for values in zip(*columns, strict=True)
    ]


def _values(column: Any) -> list[Any]:
    """Return a column as Python values, with a BadRecordError in place of each invalid value."""
    kind = column.type
    try:
        if pa.types.is_timestamp(kind):
            return _micros(column, *_UNITS[kind.unit])
        if pa.types.is_date32(kind):
            return _micros(column.cast(pa.int32()), 86_400_000_000, 1)
        if pa.types.is_date64(kind):
            return _micros(column, *_UNITS["ms"])
        return list(column.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException):
        if len(column) == 1:
            return [BadRecordError("bad_value", f"a value of type {kind} cannot be read")]
    # Some value is invalid: find it by bisection, and keep the others.
    half = len(column) // 2
    return _values(column.slice(0, half)) + _values(column.slice(half))


def _micros(column: Any, multiplier: int, divisor: int) -> list[Micros | None]:
    """Return times as microseconds; computed in Python integers, which do not overflow."""
    counts = column.cast(pa.int64()).to_pylist()
    return [None if one is None else Micros(one * multiplier // divisor) for one in counts]
