"""Throttling: at most N searches or documents per second, for shared clusters.

Per process, and only what one program sends is counted: several workers send several times as
much. The clock and the sleep are parameters so that tests need not wait.
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
        """Let ``per_second`` pass in the long run; 0: no limit."""
        self._rate = per_second
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        # When the bucket would be full again if nothing more came.
        self._full_at = clock()

    def most(self, wanted: int) -> int:
        """Return how many of ``wanted`` to send at once: no more than a second's worth, or one."""
        return min(wanted, max(int(self._rate), 1)) if self._rate else wanted

    def take(self, number: int) -> None:
        """Wait until ``number`` more may pass, and count them as passed.

        More than the bucket holds pass at once when it is full; the next caller waits longer.
        """
        if not self._rate:
            return
        with self._lock:
            now = self._clock()
            self._full_at = max(self._full_at, now) + number / self._rate
            # Waits for the debt of earlier calls; the debt of this call is waited for by the next
            # one.
            wait = self._full_at - now - max(1.0, number / self._rate)
        if wait > 0:
            self._sleep(wait)
