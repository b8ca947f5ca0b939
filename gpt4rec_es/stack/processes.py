"""Processes of a stack, identified by command line and owner, never by a stored pid.

A pid in a file outlives its process: after a reboot it may belong to any process. Each server
therefore has its stack's folder in its arguments, and only processes found by it are signalled.
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
    """Marks of a server's process: consecutive arguments, and its program's name.

    ``program`` empty: any name.
    """

    program: str
    arguments: tuple[str, ...]

    def fits(self, argv: Sequence[str]) -> bool:
        """Return whether a command line belongs to this server of this stack."""
        if not argv or (self.program and Path(argv[0]).name != self.program):
            return False
        width = len(self.arguments)
        return any(
            tuple(argv[at : at + width]) == self.arguments for at in range(1, len(argv) - width + 1)
        )


def command_line(pid: int) -> list[str]:
    """Return the arguments of a running process; empty: it has ended or is a zombie."""
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
    """Return the pids of ``uid``'s processes that match ``mark``."""
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())  # noqa: PTH208 - names
    return sorted(pid for pid in pids if is_ours(pid, mark, uid))


def is_ours(pid: int, mark: Mark, uid: int) -> bool:
    """Return whether process ``pid`` is running, owned by ``uid`` and matches ``mark``."""
    return _owner(pid) == uid and mark.fits(command_line(pid))


def stop(mark: Mark, uid: int, wait_s: float, first: signal.Signals = signal.SIGTERM) -> int:
    """Stop all processes that match ``mark``; return their number.

    They get signal ``first``, and SIGKILL after ``wait_s`` seconds. When this returns, they have
    released their ports and files.
    """
    pids = {pid: _started_at(pid) for pid in find(mark, uid)}
    for number, seconds in ((first, wait_s), (signal.SIGKILL, 10.0)):
        for pid in pids:
            if is_ours(pid, mark, uid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while any(_is_running(pid, started) for pid, started in pids.items()):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            break
    return len(pids)


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the state on; empty: no process."""
    try:
        # The name before the state may contain spaces and parentheses.
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []


def _started_at(pid: int) -> str:
    """Return the start time of a process in clock ticks; with the pid it is a unique id."""
    fields = _stat(pid)
    return fields[19] if fields else ""


def _is_running(pid: int, started: str) -> bool:
    """Return whether this process still has a running thread; zombies hold no resources."""
    fields = _stat(pid)
    if not fields or fields[19] != started:
        return False
    threads = fields[17]
    return fields[0] not in "ZX" or int(threads) > 1
