"""Layout of tables on a terminal: names and numbers stay whole, texts wrap between words.

Rich takes width from the widest columns, also below the length of their words, and then breaks
names of gates or runs in the middle. Here widths are chosen first. A table that cannot be shown so
is shown row by row, one value per line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

# Narrower columns of text are slivers: a line has no more than a word.
_TEXT = 14
# Longer words than this may break if they are part of a text: nobody looks for them as a whole.
_WORD = 24


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its cells, and which of them are numbers or times, which never wrap."""

    name: str
    cells: Sequence[Text]
    is_whole: Sequence[bool]
    is_right: bool

    @property
    def widest(self) -> int:
        """Return the width at which nothing wraps."""
        return max(cell_len(self.name), *(cell_len(one.plain) for one in self.cells), 0)

    @property
    def narrowest(self) -> int:
        """Return the least width: no name is broken, and a text has room for a few words."""
        least = _longest_word(self.name)
        for cell, is_whole in zip(self.cells, self.is_whole, strict=True):
            width = cell_len(cell.plain)
            if is_whole or " " not in cell.plain.strip():
                least = max(least, width)
            else:
                least = max(least, min(width, _TEXT), min(_longest_word(cell.plain), _WORD))
        return least


def laid_out(columns: Sequence[Column], screen: Console) -> RenderableType:
    """Return the columns as a table, or row by row where the screen is too narrow for one."""
    # The box has a blank at both edges and one between columns; columns are padded on both sides.
    widest = [column.widest for column in columns]
    if sum(widest) + 3 * len(columns) + 1 <= screen.width:
        return _table(columns, widest, (0, 1))
    narrowest = [column.narrowest for column in columns]
    room = screen.width - sum(narrowest) - (2 * len(columns) + 1)
    if room < 0:
        return _row_by_row(columns)
    return _table(columns, _shared(narrowest, widest, room), (0, 1, 0, 0))


def _table(
    columns: Sequence[Column], widths: Sequence[int], padding: tuple[int, ...]
) -> RenderableType:
    table = Table(box=SIMPLE, padding=padding)  # type: ignore[arg-type]  # rich's own type is private
    for column, width in zip(columns, widths, strict=True):
        side = "right" if column.is_right else "left"
        table.add_column(column.name, justify=side, overflow="fold", width=width)  # type: ignore[arg-type]
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table


def _row_by_row(columns: Sequence[Column]) -> RenderableType:
    """Return a line per value after the name of its column, and a blank line between rows."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
        if number:
            grid.add_row("", "")
        for column, cell in zip(columns, row, strict=True):
            grid.add_row(column.name, cell)
    return Padding(grid, (1, 0, 1, 2))


def _shared(narrowest: Sequence[int], widest: Sequence[int], room: int) -> list[int]:
    """Return widths that share ``room``: the columns that need least get all they need first."""
    widths = list(narrowest)
    needs = {n: most - least for n, (least, most) in enumerate(zip(narrowest, widest, strict=True))}
    for done, (n, need) in enumerate(sorted(needs.items(), key=lambda one: one[1])):
        more = min(max(need, 0), room // (len(widths) - done))
        widths[n] += more
        room -= more
    return widths


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)
