"""Processor time of this program, Postgres and Elasticsearch, nearly independent of other load.

That of Postgres is read from the process list, so it is unknown if it runs on another machine.
Those of both servers include background work such as vacuum and segment merges.
"""

import os
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from benchmarks.place import Place

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class CpuTime:
    """Seconds of processor time. postgres: NaN if unknown."""

    ours: float
    postgres: float
    elasticsearch: float

    def __sub__(self, earlier: "CpuTime") -> "CpuTime":
        """Return the processor time since ``earlier``."""
        pairs = zip(astuple(self), astuple(earlier), strict=True)
        return CpuTime(*(now - then for now, then in pairs))

    def per(self, number: int) -> str:
        """Return microseconds per unit of ``number``, in readable form."""
        shown = (f"{value / number * 1e6:.0f} us" for value in astuple(self))
        return "{} ours, {} Postgres, {} Elasticsearch".format(*shown)


def spent(place: Place) -> CpuTime:
    """Return the processor time so far."""
    nodes = place.elastic.nodes.stats(metric="process").body["nodes"].values()
    millis = sum(node["process"]["cpu"]["total_in_millis"] for node in nodes)
    return CpuTime(time.process_time(), _postgres_seconds(place), millis / 1e3)


def seconds_of(process: int) -> float:
    """Return the processor time of a process of this machine so far; 0: there is no such one."""
    stat = _stat(process)
    return stat.own / _TICK if stat else 0.0


def _postgres_seconds(place: Place) -> float:
    """Return the seconds of the server, including all its former processes."""
    backend = _stat(place.number("SELECT pg_backend_pid()"))
    if backend is None or not backend.name.startswith("postgres"):
        return float("nan")
    while True:
        before = _stat(backend.parent)
        found = [_stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()]
        living = [stat.own for stat in found if stat and backend.parent in {stat.pid, stat.parent}]
        server = _stat(backend.parent)
        # Ended children are counted by their parent; one that ended meanwhile is missing.
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
    """Return the /proc entry of a process, times in ticks; None: there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    times = [int(field) for field in fields[11:15]]
    return _Stat(pid, name, int(fields[1]), times[0] + times[1], times[2] + times[3])
