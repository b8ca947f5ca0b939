"""Waiting out refusals: a busy cluster turns single requests away (429), and takes them later.

The library's own retries do not wait. Loops that ask again for a part only (bulk, msearch) do it
themselves and switch this off by ``without_patience``.
"""

import logging
from typing import Any

from elastic_transport import Transport, TransportApiResponse
from elastic_transport.client_utils import DEFAULT, DefaultType
from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.backoff import Backoff
from gpt4rec_es.elastic.reasons import is_disk_full, reason_of

_REFUSED = 429

log = logging.getLogger(__name__)


def patient_transport(backoff: Backoff) -> type[Transport]:
    """Return a transport that sends a request again, after a wait, for as long as it is refused.

    That is unless the client's option ``max_retries`` is 0; how often is said by ``backoff``. A
    full disk is not waited for. Any other error is the caller's: only a refusal leaves no doubt
    that nothing was done.
    """

    class PatientTransport(Transport):
        def perform_request(
            self,
            method: str,
            target: str,
            *,
            max_retries: int | DefaultType = DEFAULT,
            **options: Any,
        ) -> TransportApiResponse:
            is_patient = self.max_retries if isinstance(max_retries, DefaultType) else max_retries
            failures = 0
            while True:
                answer = super().perform_request(method, target, max_retries=0, **options)
                if not is_patient or answer.meta.status != _REFUSED or is_disk_full(answer.body):
                    return answer
                failures += 1
                log.warning(
                    "Elasticsearch refuses for now, try %s: %s", failures, reason_of(answer.body)
                )
                if not backoff.wait(failures):
                    return answer

    return PatientTransport


def without_patience(client: Elasticsearch) -> Elasticsearch:
    """Return ``client`` for requests of which a refusal is told at once."""
    return client.options(max_retries=0)
