"""Which processes belong to a stack, told by their command lines and owner, never by a stored pid.

A pid in a file outlives its process: after a reboot it may name anybody's. Each server therefore
carries its stack's folder in its arguments, and only processes found that way are signalled.
"""

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

    They get ``first``, and SIGKILL after ``patience`` seconds.
    """
    pids = find(mark, uid)
    _signal_all(pids, mark, uid, first)
    if not _gone(pids, mark, uid, patience):
        _signal_all(pids, mark, uid, signal.SIGKILL)
        _gone(pids, mark, uid, 10.0)
    return len(pids)


def _signal_all(pids: list[int], mark: Mark, uid: int, number: signal.Signals) -> None:
    for pid in pids:
        if is_ours(pid, mark, uid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


def _gone(pids: list[int], mark: Mark, uid: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while any(is_ours(pid, mark, uid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
