"""Results as rows of a Markdown table, under a line that describes the machine."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import text

from benchmarks.place import Place
from gpt4rec_es.version import code_version


@dataclass(frozen=True)
class Line:
    """One result. goal: as text; is_met None: there is no goal."""

    what: str
    found: str
    goal: str = ""
    is_met: bool | None = None

    def markdown(self) -> str:
        """Return the row."""
        verdict = {None: "", True: "met", False: "MISSED"}[self.is_met]
        return f"| {self.what} | {self.found} | {self.goal} | {verdict} |"


def at_least(what: str, value: float, goal: float, show: Callable[[float], str]) -> Line:
    """Return a result that should be at least ``goal``."""
    return Line(what, show(value), f">= {show(goal)}", value >= goal)


def at_most(what: str, value: float, goal: float, show: Callable[[float], str]) -> Line:
    """Return a result that should be at most ``goal``."""
    return Line(what, show(value), f"<= {show(goal)}", value <= goal)


def times(value: float) -> str:
    """Return a ratio in readable form."""
    return f"{value:.1f}x"


def percent(value: float) -> str:
    """Return a fraction as percentage."""
    return f"{value:.0%}"


def rate(unit: str) -> Callable[[float], str]:
    """Return a formatter of numbers of ``unit`` per second."""
    return lambda value: f"{value:,.0f} {unit}/s"


def megabytes(value: float) -> str:
    """Return bytes as megabytes."""
    return f"{value / 1e6:,.0f} MB"


def processor() -> str:
    """Return the model of the processor."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def machine(place: Place) -> str:
    """Return a description of the machine: cores, load, servers, libraries, code."""
    with place.engine.connect() as connection:
        postgres = connection.execute(text("SHOW server_version")).scalar_one()
    elastic = place.elastic.info()["version"]["number"]
    libraries = ", ".join(
        f"{name} {version(name)}" for name in ("sqlalchemy", "psycopg2-binary", "elasticsearch")
    )
    return (
        f"{len(os.sched_getaffinity(0))} cores of {processor()}, "
        f"load {os.getloadavg()[0]:.1f} before; "
        f"Python {platform.python_version()}, Postgres {postgres}, Elasticsearch {elastic}; "
        f"{libraries}; gpt4rec {code_version()}"
    )
