"""Interleaved timings and memory growth, with the standard library only."""

import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass
class Timing:
    """Seconds of each round: CPU time of all cores, and wall-clock time."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    @property
    def cpu_seconds(self) -> float:
        """Return the median of the rounds."""
        return median(self.cpu)

    @property
    def wall_seconds(self) -> float:
        """Return the median of the rounds."""
        return median(self.wall)


def nothing() -> None:
    """Do nothing: the default ``wait`` and ``prepare``."""


def interleaved(
    contenders: Mapping[str, tuple[int, Callable[[], Any]]],
    *,
    wait: Callable[[], None] = nothing,
    prepare: Callable[[], None] = nothing,
) -> dict[str, Timing]:
    """Return timings of each contender (rounds, function).

    Contenders alternate, so that other load slows all equally. prepare: called before each run, not
    timed. wait: synchronizes with a device, part of the run's time.
    """
    timings = {name: Timing() for name in contenders}
    for turn in range(max(rounds for rounds, _ in contenders.values())):
        for name, (rounds, run) in contenders.items():
            if turn >= rounds:
                continue
            prepare()
            wait()
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            wait()
            timings[name].cpu.append(time.process_time() - cpu)
            timings[name].wall.append(time.perf_counter() - wall)
    return timings


def resident_growth(run: Callable[[], Any]) -> int:
    """Return the maximum growth of this process's memory in bytes; call it in a new process."""
    status = Path("/proc/self/statm").read_text().split()
    before = int(status[1]) * resource.getpagesize()
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak to the current resident memory
    run()
    return peak_resident() - before


def peak_resident() -> int:
    """Return the peak resident memory of this process in bytes."""
    return next(
        int(line.split()[1]) * 1024
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
