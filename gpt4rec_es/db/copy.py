"""Bulk inserts by COPY, because row-wise inserts are forty times slower.

This module knows the format only: no table, no validation. Values that Postgres cannot store (NUL
in text, lone surrogates) raise; the reader of the data must reject them before.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any

import psycopg2
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, OperationalError

from gpt4rec_es.db.errors import LOCK_TIMEOUT, sqlstate

# Small enough that the server is not idle while the next chunk is made, and that a chunk fits the
# CPU cache.
_CHUNK_BYTES = 1 << 15
# Number of rows in the first chunk: small, because a row may hold ten thousand hits.
_FIRST_ROWS, _MIN_ROWS, _MAX_ROWS = 32, 8, 8192
_NULL = "\\N"
# Types whose equal values have the same text; not float, because 0.0 == -0.0.
_FOLDED = {int, str, type(None)}
_INT_OR_NONE = {int, type(None)}
_SPECIAL = re.compile("[\\\\\t\n\r\0]")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Insert ``rows`` into ``table`` ("name" or "schema.name") and return how many they were.

    Values: None, str, int, float (also inf and nan), bool, bytes, Decimal, aware datetime, date,
    and lists or tuples of int, float or str; numpy values are taken as their Python ones. Memory
    stays at a few MB however many rows there are. The caller commits.

    Raises:
        ValueError: a row has another number of values, a text has NUL or a lone surrogate, or a
        datetime is naive. TypeError: a value has another type. DBAPIError: as for any statement.
    """
    reader = _Reader(encode_chunks(rows, columns))
    names = ", ".join(map(_quote, columns))
    path = ".".join(map(_quote, table.split(".")))
    statement = f"COPY {path} ({names}) FROM STDIN"
    if not connection.in_transaction():
        # A raw cursor does not start SQLAlchemy's transaction; without this, commit would do
        # nothing.
        connection.begin()
    raw = connection.connection
    cursor = raw.cursor()
    try:
        cursor.copy_expert(statement, reader, size=_CHUNK_BYTES)
        return int(cursor.rowcount)
    except psycopg2.Error as error:
        if reader.error is not None:  # psycopg2 replaces it by its own
            raise reader.error from None
        refused: Any = error  # SQLAlchemy asks for its own name of the driver's error
        lost = connection.dialect.is_disconnect(refused, raw.driver_connection, None)
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            statement, None, error, psycopg2.Error, connection_invalidated=lost
        ) from error
    finally:
        cursor.close()


def encode_chunks(rows: Iterable[Sequence[Any]], columns: Sequence[str]) -> Iterator[bytes]:
    """Yield ``rows`` in COPY's text format, about 32 kB at a time, always whole rows.

    Works by column and chunk: one type test per column, then one string formatting of the whole
    chunk, which is about twice as fast as joining fields and lines. What is the same in all rows
    becomes part of the format.
    """
    source = iter(rows)
    count = _FIRST_ROWS
    while batch := list(islice(source, count)):
        by_column = list(zip(*batch, strict=True))
        if len(by_column) != len(columns):
            raise ValueError(f"rows have {len(by_column)} values for {len(columns)} columns")
        fields = [_field(*pair) for pair in zip(by_column, columns, strict=True)]
        line = "\t".join(conversion for conversion, _ in fields) + "\n"
        varying = [encoded for _, encoded in fields if encoded is not None]
        values = chain.from_iterable(zip(*varying, strict=True))
        chunk = (line * len(batch) % tuple(values)).encode()
        yield chunk
        wanted = count * _CHUNK_BYTES // len(chunk)
        count = max(_MIN_ROWS, min(wanted, _MAX_ROWS, count * 4))


class _Reader:
    """The file that psycopg2 reads from; keeps the error that reading raised."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:  # noqa: ARG002 -- whole chunks are fine for libpq
        try:
            return next(self._chunks, b"")
        except BaseException as error:
            self.error = error
            raise


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _field(values: Sequence[Any], column: str) -> tuple[str, Iterable[Any] | None]:
    """Return the format of a column's values, and the encoded values.

    Values are None if all are equal; then they are part of the format.
    """
    try:
        kinds = set(map(type, values))
        if len(kinds) == 1 and kinds <= _FOLDED and _is_constant(values):
            return _encoder(type(values[0]))(values[0]).replace("%", "%%"), None
        return _varying(values, kinds)
    except (TypeError, ValueError) as error:
        raise type(error)(f"column {column}: {error}") from None


def _varying(values: Sequence[Any], kinds: set[type]) -> tuple[str, Iterable[Any]]:
    if kinds == {int} or (kinds == {str} and _SPECIAL.search("".join(values)) is None):
        return "%s", values
    if kinds == {float}:
        return "%r", values
    if kinds == _INT_OR_NONE:
        return "%s", [_NULL if value is None else value for value in values]
    if kinds == {bytes} and (width := len(values[0])) and set(map(len, values)) == {width}:
        return "\\\\x%s", b"".join(values).hex("\n", width).split("\n")
    encoders = {kind: _encoder(kind) for kind in kinds}
    return "%s", [encoders[type(value)](value) for value in values]


def _is_constant(values: Sequence[Any]) -> bool:
    return values[0] == values[-1] and values.count(values[0]) == len(values)


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("a text holds NUL, which Postgres cannot store")
    return value.translate(_ESCAPES) if _SPECIAL.search(value) else str.__str__(value)


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("a datetime has no time zone")
    return value.isoformat()


def _array(values: Sequence[Any]) -> str:
    kinds = set(map(type, values))
    if kinds == {int}:
        inner = ",".join(map(str, values))
    elif kinds == {float}:
        inner = ",".join(map(repr, values))
    else:
        inner = ",".join(map(_element, values))
    return "{" + inner + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return _text(f'"{quoted}"')
    if isinstance(value, int | float):
        return _encoder(type(value))(value)
    if hasattr(value, "tolist"):
        return _element(value.tolist())
    raise TypeError(f"arrays of {type(value).__name__} cannot be copied")


# In this order: bool is an int, datetime is a date.
_ENCODERS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (type(None), lambda _: _NULL),
    (bool, lambda value: "t" if value else "f"),
    (int, int.__repr__),
    (float, float.__repr__),
    (str, _text),
    (bytes, lambda value: "\\\\x" + value.hex()),
    (Decimal, str),
    (datetime, _instant),
    (date, date.isoformat),
    (list, _array),
    (tuple, _array),
)


def _encoder(kind: type) -> Callable[[Any], str]:
    for base, encode in _ENCODERS:
        if issubclass(kind, base):
            return encode
    if hasattr(kind, "tolist"):  # numpy scalars and arrays
        return lambda value: _encoder(type(plain := value.tolist()))(plain)
    raise TypeError(f"{kind.__name__} cannot be copied")


log = logging.getLogger(__name__)


def analyze_tables(connection: Connection, tables: Iterable[str]) -> None:
    """Collect statistics of these tables in the caller's transaction.

    A table that an operator is vacuuming is skipped and keeps its old statistics.
    """
    for table in tables:
        try:
            with connection.begin_nested():
                # Longer than Postgres takes to cancel an autovacuum that blocks the lock.
                connection.execute(text("SET LOCAL lock_timeout = '3s'"))
                connection.execute(text("SELECT analyze_table(:name)"), {"name": table})
        except OperationalError as error:
            if sqlstate(error) != LOCK_TIMEOUT:
                raise
            log.warning("no statistics collected for %s: it is locked", table)
