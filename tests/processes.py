"""Celery worker processes for tests, each in a separate process group."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class Worker:
    """One ``celery -A workers worker`` with its pool, its output in a file."""

    def __init__(self, queue: str, environ: Mapping[str, str], log: Path, number: int = 0) -> None:
        self._log = log
        self._out = log.open("ab")
        command = [sys.executable, "-m", "celery", "-A", "workers", "worker", "-Q", queue]
        self._process = subprocess.Popen(
            [*command, "-n", f"{queue}{number}-{os.getpid()}@%h"],
            env={**os.environ, **environ, "PYTHONUNBUFFERED": "1"},
            stdout=self._out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def children(self) -> list[int]:
        """Return the pool's process ids."""
        with suppress(FileNotFoundError):
            text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
            return [int(pid) for pid in text.split()]
        return []

    def kill(self) -> None:
        """SIGKILL parent and pool at once, like a machine failure."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(30)
        self._out.close()

    def log(self) -> str:
        return self._log.read_text(errors="replace")


@contextmanager
def running(*workers: Worker) -> Iterator[None]:
    """Kill the workers at the end of the block, also after an error."""
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()


def night_workers(environ: Mapping[str, str], folder: Path) -> tuple[Worker, Worker]:
    """Start a worker per queue with logs in ``folder``; they poll for work every second."""
    own = {**environ, "GPT4REC_REDRIVE_SECONDS": "1"}
    return (
        Worker("generation", own, folder / "generation.log"),
        Worker("retrieval", own, folder / "retrieval.log"),
    )


def wait_for(check: Callable[[], object], seconds: float, workers: tuple[Worker, ...] = ()) -> None:
    """Wait until ``check`` is true; fail with the workers' logs after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            logs = "\n".join(worker.log()[-4000:] for worker in workers)
            pytest.fail(f"not so within {seconds} s\n{logs}")
        time.sleep(0.2)
