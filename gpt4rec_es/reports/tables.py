"""Tables of a page: rows of a reading as cells, with bars and lines of the numbers in them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from gpt4rec_es.db.rows.readings import Rows
from gpt4rec_es.reports import numbers
from gpt4rec_es.reports.charts import Span, Spark, span, spark

Kind = Literal[
    "text",
    "item",
    "texts",
    "ids",
    "link",
    "source",
    "count",
    "bar",
    "signed",
    "seconds",
    "real",
    "share",
    "trend",
    "interval",
    "passed",
    "yes",
]
_NUMERIC = frozenset({"count", "bar", "signed", "seconds", "real", "share"})

# Sources of recommendations in words, before the name that the views have.
SOURCES = {
    "queries": "generated queries (queries)",
    "co_purchase": "bought together (co_purchase)",
    "history_titles": "titles of purchases (history_titles)",
    "sequence": "bought after a sequence of purchases (sequence)",
    "query_vectors": "titles near generated queries (query_vectors)",
    "title_vectors": "titles near those of purchases (title_vectors)",
    "backfill": "deeper hits of queries (backfill)",
    "last_title": "fallback, newest title (last_title)",
    "popular": "fallback, popular items (popular)",
    "pinned": "put first by a rule (pinned)",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its name in the reading, its heading, and how its values are shown.

    unit: of its numbers, for the heading. ``note``: explanation, shown on hover.
    """

    name: str
    heading: str
    kind: Kind = "text"
    note: str = ""

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, which are right-aligned."""
        return self.kind in _NUMERIC


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    bar: its share of the column's maximum. texts: several, each on a line. href: of the page of its
    text. span: a mean with its interval, among those of the column.
    """

    text: str
    kind: Kind
    bar: float | None = None
    texts: tuple[str, ...] = ()
    line: Spark | None = None
    passed: bool | None = None
    href: str = ""
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of a reading, the views that it reads, and the SQL that gives these rows again."""

    caption: str
    columns: tuple[Column, ...]
    rows: list[list[Cell]]
    views: tuple[str, ...]
    sql: str
    empty: str
    key: str


def table(
    found: Rows,
    key: str,
    caption: str,
    columns: Sequence[Column],
    *,
    empty: str = "None.",
    links: Collection[str] = (),
) -> Table:
    """Return the table of ``found``; columns of the reading without a ``Column`` are left out.

    key: its name in the page. empty: what a table without rows says. links: names of runs that have
    a page in the folder of this one. An interval is drawn with its column's _low and _high.
    """
    rows = found.dicts()
    most = {
        column.name: max((abs(row[column.name] or 0) for row in rows), default=0)
        for column in columns
        if column.kind == "bar"
    }
    cells = [[_cell(column, row[column.name], most) for column in columns] for row in rows]
    for place, column in enumerate(columns):
        for row, line in zip(rows, cells, strict=True):
            if column.kind == "interval":
                line[place] = _interval(column.name, row, rows)
            elif column.kind == "link" and row[column.name] in links:
                line[place] = replace(line[place], href=f"{row[column.name]}.html")
    return Table(caption, tuple(columns), cells, found.views, found.sql, empty, key)


def _interval(name: str, row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Cell:
    names = (f"{name}_low", f"{name}_high")
    mean, low, high = row[name], *(row[end] for end in names)
    if mean is None or low is None or high is None:
        return Cell(numbers.real(mean), "real")
    ends = [one[end] for one in rows for end in (name, *names) if one[end] is not None]
    # More digits than an interval allows would look like knowledge.
    shown_mean, *ends_shown = (numbers.real(value, 3) for value in (mean, low, high))
    text = f"{shown_mean} ({' to '.join(ends_shown)})"
    return Cell(text, "interval", span=span(mean, low, high, min(ends), max(ends)))


def _cell(column: Column, value: Any, most: dict[str, Any]) -> Cell:
    kind = column.kind
    if kind == "trend":
        return Cell(" ".join(map(numbers.count, value)), kind, line=spark(value))
    if kind in {"texts", "ids"}:
        texts = tuple(numbers.short(text) for text in value if text is not None)
        return Cell("; ".join(texts) or numbers.NONE, kind, texts=texts)
    if kind == "passed":
        return Cell("passed" if value else "failed", kind, passed=bool(value))
    if kind == "bar":
        return Cell(
            numbers.count(value), kind, bar=float(value or 0) / float(most[column.name] or 1)
        )
    return Cell(shown(kind, value), kind)


def shown(kind: Kind, value: Any) -> str:
    """Return the text of one value."""
    if kind in _WRITERS:
        return _WRITERS[kind](value)
    return numbers.short(None if value is None else str(value))


_WRITERS: dict[Kind, Callable[[Any], str]] = {
    "count": numbers.count,
    "bar": numbers.count,
    "signed": numbers.signed,
    "seconds": numbers.seconds,
    "real": numbers.real,
    "share": lambda value: numbers.NONE if value is None else numbers.share(value, 1),
    "yes": lambda value: "yes" if value else "no",
    "source": lambda value: SOURCES.get(value, numbers.short(value)),
}
