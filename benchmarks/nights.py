"""What a night costs beside the model: per user and stage, at several sizes; and a quiet night.

Three nights per size: a full one, one with nothing changed (all that is left is bookkeeping), and
one where 1 % of the users bought something. The model is pretended; searches are real.
"""

import datetime as dt
import time
from dataclasses import dataclass

from benchmarks.place import Place
from benchmarks.shops import (
    DAY,
    buy,
    fill_items,
    fill_users,
    night_parts,
    options,
    use_pretend_generator,
)
from benchmarks.table import Line, at_most, percent
from gpt4rec_es.runs.drain import drain
from gpt4rec_es.runs.night import start_night

_ITEMS = 12_000
_CHANGED = 100  # every hundredth user


@dataclass(frozen=True)
class Night:
    """Seconds by step, and what was done."""

    seconds: dict[str, float]
    tokens: int
    searches: int

    @property
    def total(self) -> float:
        """Return the seconds of all steps."""
        return sum(self.seconds.values())


def measure(place: Place, users: int) -> list[Line]:
    """Return the costs of nights for ``users`` users."""
    prepare(place, users)
    full, same = run_night(place, 0), run_night(place, 1)
    buy(place, 2, _CHANGED)
    changed = run_night(place, 2)
    per_user = {step: seconds / users * 1e6 for step, seconds in same.seconds.items()}
    parts = ", ".join(f"{step} {micros:.0f}" for step, micros in per_user.items())
    name = f"{users:,} users"
    return [
        Line(f"{name}: bookkeeping per user", f"{same.total / users * 1e6:.0f} us ({parts})"),
        Line(f"{name}: bookkeeping of the night", f"{same.total:.1f} s"),
        Line(f"{name}: full night without a model", f"{full.total:.1f} s, {_done(full)}"),
        Line(f"{name}: nothing changed", f"{same.total:.1f} s, {_done(same)}"),
        Line(f"{name}: 1 % changed", f"{changed.total:.1f} s, {_done(changed)}"),
        at_most(f"{name}: tokens at 1 %", changed.tokens / full.tokens, 0.011, _precise),
        Line(f"{name}: searches at 1 %", percent(changed.searches / max(full.searches, 1))),
    ]


def _done(night: Night) -> str:
    return f"{night.tokens:,} tokens, {night.searches:,} searches"


def _precise(value: float) -> str:
    return f"{value:.2%}"


def prepare(place: Place, users: int) -> None:
    """Fill an empty place with a shop, and index it."""
    fill_items(place, _ITEMS)
    fill_users(place, users)
    use_pretend_generator(place)
    night_parts(place).ensure_index()


def run_night(place: Place, day: int) -> Night:
    """Run the night of the ``day``-th day in this process, and time its steps."""
    parts, chosen = night_parts(place), options()
    seconds: dict[str, float] = {}
    started = time.perf_counter()
    run = start_night(parts, chosen, DAY + dt.timedelta(days=day)).run
    seconds["plan"] = time.perf_counter() - started
    tokens = searches = 0
    for stage in ("generate", "search", "merge"):
        started = time.perf_counter()
        counts = drain(parts, chosen, run.run_no, "bench", [stage]).counts
        seconds[stage] = time.perf_counter() - started
        tokens, searches = tokens + counts.tokens, searches + counts.searches
    # The last drain goes on to check and publish; the tables know when it began to.
    check = _check_seconds(place, run.run_no)
    seconds["merge"] -= check
    seconds["check and publish"] = check
    return Night(seconds, tokens, searches)


def _check_seconds(place: Place, run_no: int) -> float:
    micros = place.number(
        "SELECT 1e6 * extract(epoch FROM r.finished_at - max(s.finished_at)) "
        "FROM runs AS r JOIN shards AS s USING (run_no) WHERE r.run_no = :no GROUP BY r.run_no",
        no=run_no,
    )
    return micros / 1e6
