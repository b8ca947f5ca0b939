"""Statements whose text a page shows beside their result, so that a reader can run them again.

They read schema analytics alone. The shown text is the executed one, with values in place of the
parameters.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

Value = str | int | dt.date | list[int] | None

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")
_VIEW = re.compile(r"\banalytics\.([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Reading:
    """A statement on views, with ``:name`` for parameters."""

    sql: str

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views that the statement reads, in the order of its text."""
        return tuple(dict.fromkeys(_VIEW.findall(self.sql)))

    def written(self, values: Mapping[str, Value]) -> str:
        """Return the statement with literals in place of the parameters."""
        return _PARAMETER.sub(lambda found: literal(values[found[1]]), self.sql.strip())


@dataclass(frozen=True, slots=True)
class Rows:
    """The result of a reading: ``sql`` is its text with literals."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    views: tuple[str, ...]
    sql: str

    def dicts(self) -> list[dict[str, Any]]:
        """Return the rows as column -> value."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def read(connection: Connection, reading: Reading, values: Mapping[str, Value]) -> Rows:
    """Return the rows of ``reading``; other values than its parameters are not used."""
    wanted = {name: values[name] for name in _PARAMETER.findall(reading.sql)}
    found = connection.execute(text(reading.sql), wanted)
    columns = tuple(found.keys())
    return Rows(columns, [tuple(row) for row in found], reading.views, reading.written(wanted))


def literal(value: Value) -> str:
    """Return ``value`` as an SQL literal."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(str, value))}]"
    if isinstance(value, dt.date):
        return f"date '{value.isoformat()}'"
    return "'" + value.replace("'", "''") + "'"


def ask(
    connection: Connection, statement: str, values: Mapping[str, Any]
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return columns and rows of an analyst's statement, in a transaction that only reads."""
    connection.execute(text("SET TRANSACTION READ ONLY"))
    connection.execute(text("SET LOCAL search_path = analytics"))
    found = connection.execute(text(statement), dict(values))
    return tuple(found.keys()), [tuple(row) for row in found]
