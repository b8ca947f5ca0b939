"""Time and memory of the page of a night, made from the views in a separate process.

A tenth of the users get two nights; the others are copies of them under other ids, with their
lists but without purchases, because nights of a million users take an hour. A page reads purchases
of five users alone, so it sees no difference.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from benchmarks.nights import prepare, run_night
from benchmarks.place import Place, connect
from benchmarks.shops import buy
from benchmarks.table import Line, at_most, megabytes, times
from benchmarks.timing import resident_growth
from gpt4rec_es.db import tables
from gpt4rec_es.reports.pages import MOST_BYTES
from gpt4rec_es.reports.write import Desk, write_night

_COPIES = 9
_CHANGED = 100  # every hundredth user buys something between the nights
_GOAL_S = 60.0
# Memory for ten times the users may grow by this factor and still count as flat.
_FLAT = 1.5
_PER_USER = (
    tables.users,
    tables.run_users,
    tables.user_outcomes,
    tables.recommendations,
)
_SUMS = {
    "daily_queries": ("n_users", "n_recommended"),
    "daily_items": ("n_users", "n_by_query"),
    "daily_coverage": ("n_recommendations",),
    "run_counts": ("n",),
    "runs": ("cohort_size",),
}


def measure(place: Place, users: int) -> list[Line]:
    """Return time, memory and size of the page of a night for ``users`` users."""
    own = users // (_COPIES + 1)
    prepare(place, own)
    place.run(
        "UPDATE items SET brand = 'brand ' || item_no % 300, "
        "category = 'c' || item_no % 20 || ' > s' || item_no % 200"
    )
    run_night(place, own, 0)
    buy(place, 2, _CHANGED)
    run_night(place, own, 1)
    few = _in_a_process(place)
    copy_users(place, own)
    many = _in_a_process(place)
    name = f"{users:,} users"
    return [
        at_most(f"{name}: page of a night", many["seconds"], _GOAL_S, _seconds),
        Line(f"{own:,} users: page of a night", _seconds(few["seconds"])),
        at_most(f"{name}: size of the page", many["size"], MOST_BYTES, _kilobytes),
        Line(
            f"memory of that at {own:,} and {users:,} users",
            f"{megabytes(few['growth'])}, {megabytes(many['growth'])}",
        ),
        at_most("growth of that", many["growth"] / max(few["growth"], 1), _FLAT, times),
    ]


def copy_users(place: Place, own: int) -> None:
    """Add copies of the first ``own`` users with their lists, also to all sums."""
    for table in _PER_USER:
        names = [column.name for column in table.columns]
        values = [_copied(name, own) for name in names]
        place.run(
            f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(values)} "  # noqa: S608
            f"FROM {table.name} CROSS JOIN generate_series(1, {_COPIES}) AS copy ORDER BY copy"
        )
    for name, columns in _SUMS.items():
        changes = ", ".join(f"{one} = {one} * {_COPIES + 1}" for one in columns)
        place.run(f"UPDATE {name} SET {changes}")  # noqa: S608
    place.run("ANALYZE")


def _copied(column: str, own: int) -> str:
    if column == "user_no":
        return f"user_no + {own} * copy"
    # Unique columns of a user.
    return f"{column} || '-' || copy" if column in {"user_id", "shown_id"} else column


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _kilobytes(value: float) -> str:
    return f"{value / 1e3:.0f} kB"


def _in_a_process(place: Place) -> dict[str, Any]:
    stdin = json.dumps([place.url, place.elasticsearch_url, place.alias])
    command = [sys.executable, "-m", "benchmarks.pages"]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@click.command()
def main() -> None:
    """Write the page of the published night once; print seconds, bytes, and growth of memory.

    Server URLs are read from stdin, because arguments with passwords show in process lists.
    """
    place = connect(*json.loads(sys.stdin.read()))
    found: dict[str, Any] = {}

    def write() -> None:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            found["size"] = write_night(Desk(place.engine, Path(folder)), "latest").size
            found["seconds"] = time.perf_counter() - started

    found["growth"] = resident_growth(write)
    click.echo(json.dumps(found))


if __name__ == "__main__":
    main()
