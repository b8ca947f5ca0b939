"""Progress of long work: a bar on a terminal, plain lines elsewhere.

Always on stderr; stdout belongs to results. What is yielded here fits ``protocols.Progress``.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from gpt4rec_es.protocols import Progress

# Seconds between two lines where there is no terminal: a log of a long night stays readable.
_INTERVAL = 10.0


@contextmanager
def progress_bar(label: str, unit: str = "") -> Iterator[Progress]:
    """Yield a Progress that shows ``label`` and the number of ``unit`` done."""
    if sys.stderr.isatty():
        with _bar(label, unit) as progress:
            yield progress
    else:
        lines = LineProgress(label, unit, sys.stderr, time.monotonic)
        try:
            yield lines
        finally:
            lines.finish()


@contextmanager
def _bar(label: str, unit: str) -> Iterator[Progress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    # rich takes over sys.stderr while it runs, so log lines appear above the bar.
    with RichProgress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None)

        def progress(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield progress


class LineProgress:
    """A Progress that writes a line at most every ``_INTERVAL`` seconds, and one at the end."""

    def __init__(self, label: str, unit: str, stream: TextIO, clock: Callable[[], float]) -> None:
        self._label, self._unit, self._stream, self._clock = label, unit, stream, clock
        self._started = self._last_line = clock()
        self._state: tuple[int, int | None] | None = None
        self._written: tuple[int, int | None] | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Record ``done`` of ``total``; write a line if the last one is old enough."""
        self._state = (done, total)
        if self._clock() - self._last_line >= _INTERVAL:
            self._write(done, total)

    def finish(self) -> None:
        """Write the final count, unless the last line has it or nothing was reported."""
        if self._state is not None and self._state != self._written:
            self._write(*self._state)

    def _write(self, done: int, total: int | None) -> None:
        now = self._clock()
        elapsed = now - self._started
        line = f"{self._label}: {done}" + (f" of {total}" if total is not None else "")
        line += f" {self._unit}".rstrip() + f", {_span(elapsed)}"
        if total is not None and 0 < done < total:
            line += f", ETA {_span(elapsed / done * (total - done))}"
        self._stream.write(line + "\n")
        self._stream.flush()
        self._last_line, self._written = now, (done, total)


def _span(seconds: float) -> str:
    """Return a length of time as people read it: 45 s, 3:20 min, 2:05 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
