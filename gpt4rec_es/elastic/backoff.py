"""Waiting before a request is sent again; one policy for indexing and searching.

The client's own retries are off (they wait not at all after a 429), so every loop that may try
again waits here. ``sleep`` and ``jitter`` are parameters so that tests need not wait.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from ``first_s`` to ``longest_s`` seconds, for ``attempts`` tries in all.

    Each wait is jittered between half and all of its length, so that workers which were refused
    together do not come back together. The default gives up after about two minutes.
    """

    first_s: float = 1.0
    longest_s: float = 30.0
    attempts: int = 10
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def wait(self, failures: int) -> bool:
        """Wait after the ``failures``-th failure in a row; False at once: it was the last try."""
        if failures >= self.attempts:
            return False
        delay = min(self.longest_s, self.first_s * 2.0 ** (failures - 1))
        self.sleep(delay * (0.5 + 0.5 * self.jitter()))
        return True
