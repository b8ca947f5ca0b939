"""Forks of a worker's parent wait until its re-driver thread is between two rounds.

A forked child has only the thread that forked, but all locks as they were: one that another thread
held at that moment (of a cached property, an import, a connection pool) is never released in the
child. Such a child accepts a task and waits for ever, and its parent, which has its one task
running, takes no other.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

# Seconds that a fork waits at most. A longer round waits for a server: it holds connections of its
# own, which the child does not use, and the parent must go on.
_LONGEST_S = 10.0


class _Forks:
    """A lock that forks take; held by a thread, no fork happens."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._is_taken = False

    @contextmanager
    def delayed(self) -> Iterator[None]:
        """Delay forks of other threads until the end of the block."""
        lock = self._lock
        with lock:
            yield

    def before(self) -> None:
        self._is_taken = self._lock.acquire(timeout=_LONGEST_S)
        if not self._is_taken:
            log.warning("a child is forked in the middle of a round of the re-driver")

    def after_in_parent(self) -> None:
        if self._is_taken:
            self._lock.release()

    def after_in_child(self) -> None:
        self._lock = threading.RLock()


_forks = _Forks()
os.register_at_fork(
    before=_forks.before,
    after_in_parent=_forks.after_in_parent,
    after_in_child=_forks.after_in_child,
)

delayed_forks = _forks.delayed
