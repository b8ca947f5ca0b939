"""Cost of a night without the model: per user and stage, at several sizes.

Three nights per size: a full one, one without changes, and one in which 1 % of the users bought
something. The model is a fake; searches are real.
"""

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click

from benchmarks.disk import disk_lines
from benchmarks.place import Place
from benchmarks.processor import CpuTime, spent
from benchmarks.shops import (
    DAY,
    buy,
    fill_items,
    fill_users,
    night_parts,
    options,
    use_fake_generator,
)
from benchmarks.table import Line, at_most, megabytes, percent
from benchmarks.timing import peak_resident
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.publish.gates import check
from gpt4rec_es.night.start import start_night

_ITEMS = 12_000
_CHANGED = 100  # every hundredth user


@dataclass
class Night:
    """Seconds and counts by step. spent: processor time by step."""

    users: int
    run_no: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    spent: dict[str, CpuTime] = field(default_factory=dict)
    tokens: int = 0
    searches: int = 0

    @property
    def total(self) -> float:
        """Return the seconds of all steps."""
        return sum(self.seconds.values())

    @contextmanager
    def step(self, place: Place, name: str) -> Iterator[None]:
        """Time the block as step ``name`` and print it, because a night may take an hour."""
        before, started = spent(place), time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started
        self.spent[name] = spent(place) - before
        shown = f"{self.seconds[name]:.1f} s, {self.spent[name].per(self.users)} per user"
        click.echo(f"(run {self.run_no}, {name}: {shown})", err=True)


def measure(place: Place, users: int) -> list[Line]:
    """Return the costs of nights for ``users`` users."""
    prepare(place, users)
    full, same = run_night(place, users, 0), run_night(place, users, 1)
    buy(place, 2, _CHANGED)
    changed = run_night(place, users, 2)
    per_user = {step: seconds / users * 1e6 for step, seconds in same.seconds.items()}
    parts = ", ".join(f"{step} {micros:.0f}" for step, micros in per_user.items())
    name = f"{users:,} users"
    return [
        Line(f"{name}: bookkeeping per user", f"{same.total / users * 1e6:.0f} us ({parts})"),
        Line(f"{name}: processor time of that", _spent(same)),
        Line(f"{name}: processor time of a full night", _spent(full)),
        Line(f"{name}: bookkeeping of the night", f"{same.total:.1f} s"),
        Line(f"{name}: full night without a model", f"{full.total:.1f} s, {_done(full)}"),
        Line(f"{name}: gates, of the full night without a model", _gates(place, full)),
        Line(f"{name}: nothing changed", f"{same.total:.1f} s, {_done(same)}"),
        Line(f"{name}: 1 % changed", f"{changed.total:.1f} s, {_done(changed)}"),
        at_most(f"{name}: tokens at 1 %", changed.tokens / full.tokens, 0.011, _precise),
        Line(f"{name}: searches at 1 %", percent(changed.searches / max(full.searches, 1))),
        Line(f"{name}: memory of the process at most", megabytes(peak_resident())),
        *disk_lines(place, name, users, [full.run_no, same.run_no, changed.run_no]),
    ]


def _gates(place: Place, night: Night) -> str:
    """Return the time of one check of a night, and its part of the night."""
    with place.engine.connect() as connection:
        run, started = run_rows.load(connection, night.run_no), time.perf_counter()
        check(night_parts(place), connection, run)
    seconds = time.perf_counter() - started
    return f"{seconds:.1f} s, {percent(seconds / night.total)}"


def _spent(night: Night) -> str:
    return "; ".join(f"{step} {spent.per(night.users)}" for step, spent in night.spent.items())


def _done(night: Night) -> str:
    return f"{night.tokens:,} tokens, {night.searches:,} searches"


def _precise(value: float) -> str:
    return f"{value:.2%}"


def prepare(place: Place, users: int) -> None:
    """Fill an empty place with a shop, and index it."""
    fill_items(place, _ITEMS)
    fill_users(place, users)
    use_fake_generator(place)
    night_parts(place).ensure_index(None)


def run_night(place: Place, users: int, day: int) -> Night:
    """Run the night of the ``day``-th day in this process, and time its steps."""
    parts, chosen = night_parts(place), options()
    night = Night(users)
    with night.step(place, "plan"):
        night.run_no = start_night(parts, chosen, DAY + dt.timedelta(days=day)).run.run_no
    for stage in ("generate", "search", "merge"):
        with night.step(place, stage):
            counts = drain(parts, chosen, night.run_no, "bench", [stage]).counts
        night.tokens += counts.tokens
        night.searches += counts.searches
    # The last drain goes on to check and publish; the tables know when it began to.
    check = _check_seconds(place, night.run_no)
    night.seconds["merge"] -= check
    night.seconds["check and publish"] = check
    night.spent["merge, check and publish"] = night.spent.pop("merge")
    return night


def _check_seconds(place: Place, run_no: int) -> float:
    micros = place.number(
        "SELECT 1e6 * extract(epoch FROM r.finished_at - max(s.finished_at)) "
        "FROM runs AS r JOIN shards AS s USING (run_no) WHERE r.run_no = :no GROUP BY r.run_no",
        no=run_no,
    )
    return micros / 1e6
