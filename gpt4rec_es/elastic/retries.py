"""Backoff before a request is sent again; one policy for indexing and searching.

The client's own retries are off (they do not wait after a 429), so every retry loop waits here.
``sleep`` and ``jitter`` are parameters so that tests need not wait.
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

    Each wait is jittered between half and all of its length, so that workers that were refused at
    the same time do not retry at the same time. The default gives up after about two minutes.
    """

    first_s: float = 1.0
    longest_s: float = 30.0
    attempts: int = 10
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def wait(self, failures: int) -> bool:
        """Wait after the ``failures``-th failure in a row; return False after the last try."""
        if failures >= self.attempts:
            return False
        delay = min(self.longest_s, self.first_s * 2.0 ** (failures - 1))
        self.sleep(delay * (0.5 + 0.5 * self.jitter()))
        return True


_REFUSED = 429
_FAILED = frozenset({500, 502, 503, 504})
# Ends of requests that may be repeated although an earlier one may have been carried out.
_REPEATABLE = ("/_refresh", "/_count", "/_search", "/_forcemerge", "/_settings")

log = logging.getLogger(__name__)


def retrying_transport(backoff: Backoff) -> type[Transport]:
    """Return a transport that sends a refused request again after a wait.

    It does not retry if the client's option ``max_retries`` is 0, or after a disk is full.
    ``backoff`` limits the number of tries. After other failures of the server, and after an answer
    that was cut off, only requests that may be repeated are sent again: only after a refusal is it
    certain that nothing was done.
    """

    def may_repeat(method: str, target: str, status: int) -> bool:
        path = target.partition("?")[0]
        is_repeatable = method in {"GET", "HEAD"} or path.endswith(_REPEATABLE)
        return status == _REFUSED or (status in _FAILED and is_repeatable)

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
                status = answer.meta.status
                if (
                    not retries
                    or not may_repeat(method, target, status)
                    or is_disk_full(answer.body)
                ):
                    return answer
                failures += 1
                log.warning(
                    "Elasticsearch refuses for now, try %s: %s: %s",
                    failures,
                    status,
                    reason_of(answer.body),
                )
                if not backoff.wait(failures):
                    return answer

    return RetryingTransport


def without_retries(client: Elasticsearch) -> Elasticsearch:
    """Return ``client`` for requests whose refusal is raised at once."""
    return client.options(max_retries=0)
