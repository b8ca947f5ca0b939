"""Memory growth of a process that imports, reindexes, merges or exports.

Each measurement runs in a separate process, ``python -m benchmarks.memory PART ...``. Flat means:
ten times the rows take about the same memory.
"""

import datetime as dt
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks.importing import ITEMS, write_interactions
from benchmarks.nights import prepare
from benchmarks.place import Place, connect, scratch
from benchmarks.shops import DAY, fill_items, night_parts, options
from benchmarks.table import Line, at_most, megabytes, times
from benchmarks.timing import resident_growth
from gpt4rec_es.catalog.import_interactions import import_interactions
from gpt4rec_es.exports.export import export
from gpt4rec_es.index.reindex import ReindexOptions, reindex
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.start import start_night

PARTS = ("import", "reindex", "merge", "export")
# Memory for ten times the rows may grow by this factor and still count as flat.
_FLAT = 1.5
_PER_USER = 10


def measure(rows: int) -> list[Line]:
    """Return the growth of each part at a tenth of ``rows`` and at ``rows``."""
    found: dict[str, list[int]] = {part: [] for part in PARTS}
    for size in (rows // 10, rows):
        with tempfile.TemporaryDirectory() as folder:
            for part in ("import", "reindex"):
                with scratch() as place:
                    _prepare(part, place, size, Path(folder))
                    found[part].append(_in_a_process(part, place, Path(folder)))
            with scratch() as place:
                _prepare("merge", place, size, Path(folder))
                for part in ("merge", "export"):
                    found[part].append(_in_a_process(part, place, Path(folder)))
    lines = []
    for part, (small, large) in found.items():
        shown = f"{part}: memory at {rows // 10:,} and {rows:,} rows"
        lines.append(Line(shown, f"{megabytes(small)}, {megabytes(large)}"))
        lines.append(at_most(f"{part}: growth of that", large / max(small, 1), _FLAT, times))
    return lines


def _prepare(part: str, place: Place, rows: int, folder: Path) -> None:
    if part == "import":
        fill_items(place, ITEMS)
        write_interactions(folder / "interactions.csv", rows)
    elif part == "reindex":
        fill_items(place, rows)
    else:
        # Number of recommendations equals ``rows``; all stages but the merge run here.
        prepare(place, rows // _PER_USER)
        parts, chosen = night_parts(place), options()
        run = start_night(parts, chosen, DAY).run
        drain(parts, chosen, run.run_no, "bench", ["generate", "search"])


def _in_a_process(part: str, place: Place, folder: Path) -> int:
    command = [sys.executable, "-m", "benchmarks.memory", part, str(folder)]
    stdin = json.dumps([place.url, place.elasticsearch_url, place.alias])
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return int(done.stdout)


def _work(part: str, place: Place, folder: Path) -> Callable[[], object]:
    engine, elastic = place.engine, place.elastic
    if part == "import":
        return lambda: import_interactions(engine, [folder / "interactions.csv"], actor="bench")
    if part == "reindex":
        return lambda: reindex(engine, elastic, ReindexOptions(alias=place.alias), actor="bench")
    if part == "merge":
        parts, chosen = night_parts(place), options()
        return lambda: drain(parts, chosen, 1, "bench", ["merge"])
    run_id = f"nightly-{DAY + dt.timedelta(0)}-1"
    return lambda: export(engine, "recommendations", run_id, "jsonl", folder / "lists.jsonl")


@click.command()
@click.argument("part", type=click.Choice(PARTS))
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
def main(part: str, folder: Path) -> None:
    """Run PART once with files in FOLDER; print the maximum growth of memory in bytes.

    Server URLs are read from stdin, because arguments with passwords show in process lists.
    """
    place = connect(*json.loads(sys.stdin.read()))
    click.echo(resident_growth(_work(part, place, folder)))


if __name__ == "__main__":
    main()
