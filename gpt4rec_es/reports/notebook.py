"""Answers of the views as tables of a notebook; read-only, as an analyst.

docs/notebooks has examples. A cell that ends with an answer shows it, every text escaped.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gpt4rec_es.db.engine import make_engine
from gpt4rec_es.db.rows.readings import ask
from gpt4rec_es.errors import UsageError
from gpt4rec_es.reports.pages import render
from gpt4rec_es.reports.tables import shown

_URL = "GPT4REC_ANALYST_DATABASE_URL"
# Rows that a notebook shows; all are in ``rows``.
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of a statement, with the names of their columns."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield each row as column -> value."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    def _repr_html_(self) -> str:
        cells = [[_text(value) for value in row] for row in self.rows[:_SHOWN]]
        return render("answer.html", columns=self.columns, rows=cells, total=len(self.rows))


class Analytics:
    """The views of schema analytics."""

    def __init__(self, url: str | None = None) -> None:
        """Connect to ``url``; None: to that of the variable GPT4REC_ANALYST_DATABASE_URL.

        Raises:
            UsageError: neither is given.
        """
        address = url or os.environ.get(_URL)
        if address is None:
            raise UsageError(f"{_URL} is not set.", "On a local stack: gpt4rec stack env.")
        self._engine = make_engine(address, application_name="gpt4rec notebook", pool_size=1)

    def ask(self, statement: str, **values: Any) -> Answer:
        """Return the rows of a SELECT; ``:name`` stands for the value of that name."""
        with self._engine.connect() as connection:
            return Answer(*ask(connection, statement, values))


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return shown("text", value)
    if isinstance(value, int):
        return shown("count", value)
    return shown("real" if isinstance(value, float) else "text", value)
