"""Children of a worker inherit no lock that its re-driver thread held."""

import os
import signal
import threading
import time

import pytest

from workers import forks, notify
from workers.notify import Redriver


class Slow:
    """As a Runtime: on Python 3.11 all instances share the lock of a cached property."""

    opened = threading.Event()
    lock = threading.Lock()

    @property
    def engine(self) -> int:
        with self.lock:
            self.opened.set()
            time.sleep(0.5)
            return 7


def status_of_child(seconds: float) -> int | None:
    """Fork a child that opens an engine; return its exit code, None: it never ended."""
    pid = os.fork()
    if pid == 0:
        os._exit(Slow().engine)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def test_a_child_forked_during_a_round_can_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "notify_waiting", lambda *_: Slow().engine)
    Slow.opened.clear()
    redriver = Redriver(None, ["generation"])  # type: ignore[arg-type]
    redriver.start()
    assert Slow.opened.wait(10)
    try:
        assert status_of_child(10) == 7
    finally:
        redriver.stop()


def test_without_the_delay_it_would_wait_for_ever() -> None:
    """The fault itself, so that the test above is known to find it."""
    Slow.opened.clear()
    thread = threading.Thread(target=lambda: Slow().engine)
    thread.start()
    assert Slow.opened.wait(10)
    assert status_of_child(2) is None
    thread.join()


def test_a_round_that_hangs_delays_a_fork_for_a_while_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(forks, "_LONGEST_S", 0.2)
    held, release = threading.Event(), threading.Event()

    def hang() -> None:
        with forks.delayed_forks():
            held.set()
            release.wait(20)

    thread = threading.Thread(target=hang)
    thread.start()
    assert held.wait(10)
    started = time.monotonic()
    assert status_of_child(10) == 7
    assert 0.2 <= time.monotonic() - started < 10
    assert "in the middle of a round" in caplog.text
    release.set()
    thread.join()
    assert status_of_child(10) == 7  # the lock is free again, and the next fork takes it
