"""Waiting before a request is sent again; one policy for indexing and searching.

The client's own retries are off (they wait not at all after a 429), so every loop that may try
again waits here. ``sleep`` and ``jitter`` are parameters so that tests need not wait.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from elastic_transport import Transport, TransportApiResponse
from elastic_transport.client_utils import DEFAULT, DefaultType
from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.reasons import is_disk_full, reason_of


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


_REFUSED = 429

log = logging.getLogger(__name__)


def retrying_transport(backoff: Backoff) -> type[Transport]:
    """Return a transport that sends a request again, after a wait, for as long as it is refused.

    That is unless the client's option ``max_retries`` is 0; how often is said by ``backoff``. A
    full disk is not waited for. Any other error is the caller's: only a refusal leaves no doubt
    that nothing was done.
    """

    class RetryingTransport(Transport):
        def perform_request(
            self,
            method: str,
            target: str,
            *,
            max_retries: int | DefaultType = DEFAULT,
            **options: Any,
        ) -> TransportApiResponse:
            retries = self.max_retries if isinstance(max_retries, DefaultType) else max_retries
            failures = 0
            while True:
                answer = super().perform_request(method, target, max_retries=0, **options)
                if not retries or answer.meta.status != _REFUSED or is_disk_full(answer.body):
                    return answer
                failures += 1
                log.warning(
                    "Elasticsearch refuses for now, try %s: %s", failures, reason_of(answer.body)
                )
                if not backoff.wait(failures):
                    return answer

    return RetryingTransport


def without_retries(client: Elasticsearch) -> Elasticsearch:
    """Return ``client`` for requests of which a refusal is told at once."""
    return client.options(max_retries=0)
