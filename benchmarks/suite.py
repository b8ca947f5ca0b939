"""``make bench``: all parts except the model, each compared with a lower bound, as one table.

Contenders alternate in one process and medians are compared, so that other load slows both equally.
Parts: ``make bench ARGS="storing nights"``; a short run: ``ARGS=--small``.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks import (
    importing,
    indexing,
    memory,
    nights,
    pages,
    searching,
    storing,
    trainings,
    vectors,
)
from benchmarks.place import Place, scratch
from benchmarks.table import Line, machine
from gpt4rec_es.gc_freeze import freeze_gc

Measure = Callable[[Place, int], list[Line]]
# part -> (function, sizes of a full run, sizes of a small one)
PARTS: dict[str, tuple[Measure, Sequence[int], Sequence[int]]] = {
    "storing": (storing.measure, [200_000], [10_000]),
    "importing": (importing.measure, [1_000_000], [20_000]),
    "indexing": (indexing.measure, [100_000], [4_000]),
    "searching": (searching.measure, [10_000], [1_000]),
    "vectors": (vectors.measure, [10_000, 100_000], [1_000]),
    "nights": (nights.measure, [10_000, 100_000], [500, 2_000]),
    "pages": (pages.measure, [100_000], [1_000]),
    "trainings": (trainings.measure, [10_000], [200]),
    "memory": (lambda _, rows: memory.measure(rows), [1_000_000], [20_000]),
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--small", is_flag=True, help="Small sizes: to see that it works, not to compare.")
@click.option("--size", "sizes", multiple=True, type=int, help="Rows, items or users instead.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write results here.")
def main(
    parts: tuple[str, ...], small: bool, sizes: tuple[int, ...], json_file: Path | None
) -> None:
    """Measure PARTS (default: all) and print a Markdown table."""
    lines: list[Line] = []
    with scratch() as place:
        about = machine(place)
    click.echo(f"{about}\n\n| what | found | goal | |\n|---|---|---|---|")
    freeze_gc()  # as nights, imports and reindexes do
    for name in parts or PARTS:
        measure, full_sizes, small_sizes = PARTS[name]
        for size in sizes or (small_sizes if small else full_sizes):
            started = time.monotonic()
            with scratch() as place:
                found = measure(place, size)
            for line in found:
                click.echo(line.markdown())
            click.echo(f"({name}, {size:,}: {time.monotonic() - started:.0f} s)", err=True)
            lines += found
    if json_file:
        json_file.write_text(
            json.dumps({"machine": about, "lines": [asdict(x) for x in lines]}, indent=1)
        )


if __name__ == "__main__":
    main()
