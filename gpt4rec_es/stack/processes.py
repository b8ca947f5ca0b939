"""Which processes belong to a stack, told by their command lines and owner, never by a stored pid.

A pid in a file outlives its process: after a reboot it may name anybody's. Each server therefore
carries its stack's folder in its arguments, and only processes found that way are signalled.
"""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mark:
    """What tells a server's process: arguments that follow each other, and its program's name.

    ``program`` empty: any name.
    """

    program: str
    arguments: tuple[str, ...]

    def fits(self, argv: Sequence[str]) -> bool:
        """Return whether a command line is one of this server of this stack."""
        if not argv or (self.program and Path(argv[0]).name != self.program):
            return False
        width = len(self.arguments)
        return any(
            tuple(argv[at : at + width]) == self.arguments for at in range(1, len(argv) - width + 1)
        )


def command_line(pid: int) -> list[str]:
    """Return the arguments of a living process; empty when it has ended (zombies too)."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(part) for part in raw.rstrip(b"\0").split(b"\0")] if raw else []


def _owner(pid: int) -> int | None:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None


def find(mark: Mark, uid: int) -> list[int]:
    """Return the pids of ``uid``'s processes that bear ``mark``."""
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())  # noqa: PTH208 - names
    return sorted(pid for pid in pids if is_ours(pid, mark, uid))


def is_ours(pid: int, mark: Mark, uid: int) -> bool:
    """Return whether process ``pid`` is alive, owned by ``uid`` and bears ``mark``."""
    return _owner(pid) == uid and mark.fits(command_line(pid))


def stop(mark: Mark, uid: int, patience: float, first: signal.Signals = signal.SIGTERM) -> int:
    """End all processes that bear ``mark``; return how many there were.

    They get ``first``, and SIGKILL after ``patience`` seconds. When this returns they have let go
    of their ports and files.
    """
    pids = {pid: _started_at(pid) for pid in find(mark, uid)}
    for number, seconds in ((first, patience), (signal.SIGKILL, 10.0)):
        for pid in pids:
            if is_ours(pid, mark, uid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while any(_lives(pid, started) for pid, started in pids.items()):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            break
    return len(pids)


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the state on; empty when there is no process."""
    try:
        # The name before may hold anything, blanks and parentheses too.
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []


def _started_at(pid: int) -> str:
    """Return when a process began, in clock ticks; with its pid that names it for good."""
    fields = _stat(pid)
    return fields[19] if fields else ""


def _lives(pid: int, started: str) -> bool:
    """Return whether that very process still has a thread; one not reaped holds nothing."""
    fields = _stat(pid)
    if not fields or fields[19] != started:
        return False
    threads = fields[17]
    return fields[0] not in "ZX" or int(threads) > 1
