"""Turns for contenders, and what memory grew to; no library beyond the standard one."""

import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass
class Timing:
    """Seconds of each round: of all cores together, and on the wall."""

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
    """Do nothing: where there is nothing to wait for or to prepare."""


def interleaved(
    contenders: Mapping[str, tuple[int, Callable[[], Any]]],
    *,
    wait: Callable[[], None] = nothing,
    prepare: Callable[[], None] = nothing,
) -> dict[str, Timing]:
    """Return timings of each contender (how often, what).

    They take turns, so that a busy machine slows all alike; one with fewer runs drops out.
    prepare: before each run, not timed. wait: until a device is done, part of the run's time.
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
    """Return by how many bytes this process's memory grew at most; call it in a fresh process."""
    status = Path("/proc/self/statm").read_text().split()
    before = int(status[1]) * resource.getpagesize()
    Path("/proc/self/clear_refs").write_text("5")  # begin the peak anew, at what is resident now
    run()
    return peak_resident() - before


def peak_resident() -> int:
    """Return the most bytes of memory that this process had."""
    return next(
        int(line.split()[1]) * 1024
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
