"""Processor time by program: ours, Postgres', Elasticsearch's; a busy machine hardly changes it.

Postgres' is read from the lists of processes, so it is unknown where it runs on another machine.
Both servers' count all that they do, vacuuming and merging segments included.
"""

import os
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from benchmarks.place import Place

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class CpuTime:
    """Seconds of processor time. postgres: not a number where it cannot be known."""

    ours: float
    postgres: float
    elasticsearch: float

    def __sub__(self, earlier: "CpuTime") -> "CpuTime":
        """Return what was spent since ``earlier``."""
        pairs = zip(astuple(self), astuple(earlier), strict=True)
        return CpuTime(*(now - then for now, then in pairs))

    def per(self, number: int) -> str:
        """Return microseconds for each of ``number``, as people read them."""
        shown = (f"{value / number * 1e6:.0f} us" for value in astuple(self))
        return "{} ours, {} Postgres, {} Elasticsearch".format(*shown)


def spent(place: Place) -> CpuTime:
    """Return what was spent so far."""
    nodes = place.elastic.nodes.stats(metric="process").body["nodes"].values()
    millis = sum(node["process"]["cpu"]["total_in_millis"] for node in nodes)
    return CpuTime(time.process_time(), _postgres_seconds(place), millis / 1e3)


def _postgres_seconds(place: Place) -> float:
    """Return the seconds of the server and of all processes it ever had."""
    backend = _stat(place.number("SELECT pg_backend_pid()"))
    if backend is None or not backend.name.startswith("postgres"):
        return float("nan")
    while True:
        before = _stat(backend.parent)
        found = [_stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()]
        living = [stat.own for stat in found if stat and backend.parent in {stat.pid, stat.parent}]
        server = _stat(backend.parent)
        # Children that ended are counted by their parent: one that did so meanwhile is missing.
        if before is None or server is None:
            return float("nan")
        if server.of_children == before.of_children:
            return (server.of_children + sum(living)) / _TICK


@dataclass(frozen=True)
class _Stat:
    pid: int
    name: str
    parent: int
    own: int
    of_children: int


def _stat(pid: int) -> _Stat | None:
    """Return what /proc says of a process, times in ticks; None: there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    times = [int(field) for field in fields[11:15]]
    return _Stat(pid, name, int(fields[1]), times[0] + times[1], times[2] + times[3])
