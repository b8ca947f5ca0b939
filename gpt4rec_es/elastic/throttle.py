"""Throttling: at most N searches or documents per second, for shared clusters.

The limit is per process: n workers send up to n times as much. The clock and the sleep are
parameters so that tests need not wait.
"""

import threading
import time
from collections.abc import Callable


class Throttle:
    """A token bucket that holds one second's worth; safe for use by threads."""

    def __init__(
        self,
        per_second: float = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Limit the long-term rate to ``per_second``; 0: no limit."""
        self._rate = per_second
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        # When the bucket would be full again without further calls.
        self._full_at = clock()

    def most(self, wanted: int) -> int:
        """Return how many of ``wanted`` to send at once: at most a second's worth, at least one."""
        return min(wanted, max(int(self._rate), 1)) if self._rate else wanted

    def take(self, number: int) -> None:
        """Wait until ``number`` more may be sent, and count them as sent.

        A number above the capacity passes when the bucket is full; the next caller waits longer.
        """
        if not self._rate:
            return
        with self._lock:
            now = self._clock()
            self._full_at = max(self._full_at, now) + number / self._rate
            # Waits for the debt of earlier calls; the next call waits for the debt of this one.
            wait = self._full_at - now - max(1.0, number / self._rate)
        if wait > 0:
            self._sleep(wait)
