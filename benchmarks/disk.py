"""Bytes on disk after nights: per user and run, per prompt and text once; tables and indexes."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from benchmarks.place import Place
from benchmarks.table import Line, megabytes

# One partition of each per run.
_OF_RUN = ("recommendations", "user_outcomes", "run_users")
_DAILY = ("daily_queries", "daily_examples", "daily_items", "daily_coverage")
# table with one row per row of the first table
_SHARED = {
    "prompt": ("prompts", "generations", "generated_queries"),
    "distinct text": ("queries", "searches"),
    "user, in feeds": ("users", "interactions"),
}


@dataclass(frozen=True)
class Size:
    """Bytes of tables, values stored apart included, and of their indexes."""

    table: int
    indexes: int

    def per(self, number: int) -> str:
        """Return bytes per unit of ``number``, in readable form."""
        return f"{self.table / number:,.0f} + {self.indexes / number:,.0f} B"


def disk_lines(place: Place, name: str, users: int, runs: Sequence[int]) -> list[Line]:
    """Return disk use of the last of ``runs`` per user, and of prompts and texts in total."""
    lines = [
        _line(place, f"{name}: disk per user and run", _of_run(runs[-1]), users),
        _line(place, f"{name}: sums of a run, per user", _DAILY, users * len(runs)),
    ]
    for what, tables in _SHARED.items():
        number = place.number(f"SELECT count(*) FROM {tables[0]}")  # noqa: S608 - named above
        lines.append(_line(place, f"{name}: disk per {what} ({number:,})", tables, number))
    database = place.number("SELECT pg_database_size(current_database())")
    stored = place.elastic.indices.stats(index=f"{place.alias}-*", metric="store").body
    index = stored["_all"]["total"]["store"]["size_in_bytes"]
    runs_name = f"{name}: disk of all with {len(runs)} runs"
    return [*lines, Line(runs_name, f"database {megabytes(database)}, index {megabytes(index)}")]


def _of_run(run_no: int) -> list[str]:
    return [f"{table}_{run_no}" for table in _OF_RUN]


def _line(place: Place, what: str, tables: Sequence[str], number: int) -> Line:
    sizes = {table: _size(place, table) for table in tables}
    total = Size(sum(s.table for s in sizes.values()), sum(s.indexes for s in sizes.values()))
    parts = ", ".join(f"{table} {size.per(number)}" for table, size in sizes.items())
    return Line(what, f"{total.per(number)} of indexes ({parts})")


def _size(place: Place, table: str) -> Size:
    with place.engine.connect() as connection:
        row = connection.execute(
            text("SELECT pg_table_size(cast(:t AS regclass)), pg_indexes_size(:t)"), {"t": table}
        ).one()
    return Size(*row)
