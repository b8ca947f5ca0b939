"""Runs of folders use several cores, a file on one of them; files and -k run in one process.

Each worker process has its own databases, roles, aliases and broker databases. ``-n`` chooses
another number of them; 0 is none.
"""

import gc
import os
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# A worker takes up to 1 GB and 40 of the 100 connections to Postgres.
MOST_WORKERS = 2
# Files with servers of their own, which take memory and a core: one after another.
OWN_SERVERS = {"tests/faults/test_stack.py", "tests/elastic/test_privileges.py"}
# Short files, which come last, so that all workers end at about the same time.
LAST = Path(__file__).parent / "unit"

if "PYTEST_XDIST_WORKER" in os.environ:
    # A core is one worker's: no library should start threads that wait for it in a loop.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


class FileScheduling(LoadFileScheduling):
    """All tests of a file, and of files with own servers, go to one worker, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        path = str(super()._split_scope(nodeid))
        return "own servers" if path in OWN_SERVERS else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling | None:
    return FileScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return 0, which is no worker, where their start takes longer than they save."""
    given = config.option
    chosen = (
        given.keyword
        or given.markexpr
        or getattr(given, "lf", False)
        or getattr(given, "failedfirst", False)
    )
    if chosen or not any(Path(name).is_dir() for name in config.args):
        return 0
    cores = len(os.sched_getaffinity(0))
    return min(cores, MOST_WORKERS) if cores > 1 else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.is_relative_to(LAST))


def pytest_collection_finish() -> None:
    """Leave out tests and libraries of garbage collections, of which each training asks for one."""
    gc.freeze()
