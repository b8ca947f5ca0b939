"""Output of commands: JSON for programs, tables for people; results on stdout, all else on stderr.

Text from catalogs and models is shown with control characters escaped, since it could otherwise
rewrite a terminal. Nothing is cut off: a narrow terminal wraps texts (`cli/layout.py`), and where
stdout is no terminal, lines are as long as they need to be.
"""

import dataclasses
import json
import re
import sys
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.text import Text

from gpt4rec_es.cli.layout import Column, laid_out
from gpt4rec_es.logs import one_line

# Width for pipes and files: as good as endless, so that no id is folded.
_ENDLESS = 100_000
_LINE = 80
_NOT_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_TRAILING = re.compile(r" +((?:\x1b\[[0-9;]*m)*)$", re.MULTILINE)
_COLOURED = {"state", "passed"}
_STYLES = dict.fromkeys(("published", "ready", "up", "yes"), "green")
_STYLES |= dict.fromkeys(("rejected", "failed", "down", "no"), "red")
_STYLES |= dict.fromkeys(
    (
        *("planned", "generating", "embedding", "searching", "merging", "checking"),
        *("building", "starting"),
    ),
    "yellow",
)

Data = TypeVar("Data")


def emit(data: Data, as_json: bool, render: Callable[[Data], None]) -> None:
    """Print ``data`` as one JSON value if ``as_json``, else let ``render`` print it for people."""
    if as_json:
        text = json.dumps(data, indent=2, ensure_ascii=False, default=_plain)
        escaped = _NOT_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        sys.stdout.write(escaped + "\n")
    else:
        render(data)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    title: str | None = None,
    *,
    keep: Collection[str] | None = None,
    wraps: bool = False,
) -> None:
    """Print ``rows`` under ``columns``, numbers to the right; says so when there are none.

    keep: columns to print, with times to the minute, so that a line fits 80 characters; None: all.
    wraps: texts wrap at 80 characters also in a pipe or a file. States and results of gates have
    colours on a terminal.
    """
    shown = [
        _column(name, [row[place] for row in rows], is_short=keep is not None)
        for place, name in enumerate(columns)
        if keep is None or name in keep
    ]
    screen = console(_LINE if wraps else _ENDLESS)
    with screen.capture() as captured:
        if title:
            screen.print(Text(one_line(title), style="italic"), soft_wrap=True)
        screen.print(laid_out(shown, screen))
    # Cells are padded to the width of their column, also the last.
    sys.stdout.write(_TRAILING.sub(r"\1", captured.get()))
    if not rows:
        screen.print("(none)")


def _column(name: str, values: Sequence[Any], *, is_short: bool) -> Column:
    return Column(
        name,
        [_cell(name, value, is_short=is_short) for value in values],
        [not isinstance(value, str) for value in values],
        all(_is_number(value) for value in values if value is not None),
    )


def _cell(column: str, value: Any, *, is_short: bool) -> Text:
    shown = show(value)
    if is_short and isinstance(value, datetime):
        shown = value.strftime("%Y-%m-%d %H:%M")
    return Text(shown, style=_STYLES.get(shown, "") if column in _COLOURED else "")


def plural(n: int, noun: str) -> str:
    """Return ``n`` with its noun: 1 user, 2,000 users."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def print_line(text: str) -> None:
    """Print one line of text as it is, control characters escaped."""
    console().print(Text(one_line(text)), soft_wrap=True)


def first_queries_line(distinct: int | None, top_fraction: float | None) -> str:
    """Return how much the first queries of users differ, as a line; empty: there are none."""
    if not distinct or top_fraction is None:
        return ""
    return (
        f"first queries: {distinct:,} distinct; the most frequent one is that of "
        f"{top_fraction:.1%} of the users with a query"
    )


def show(value: Any) -> str:
    """Return ``value`` as a cell shows it: None as ``-``, times to the second."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return one_line(str(value))


def natural(text: str) -> list[tuple[int, str]]:
    """Return a key by which texts are sorted as people do: 5-9 before 10-19."""
    parts = re.split(r"(\d+)", text)
    return [(int(part) if part.isdigit() else -1, part) for part in parts]


def console(width: int = _ENDLESS) -> Console:
    """Return a console on stdout, as wide as its terminal; ``width``: elsewhere."""
    of_terminal = None if sys.stdout.isatty() else width
    return Console(file=sys.stdout, width=of_terminal, highlight=False, markup=False, emoji=False)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """Return what JSON can hold for a value that it does not know."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal | Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
