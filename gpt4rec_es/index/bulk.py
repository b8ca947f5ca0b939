"""Load documents by bulk requests; every document is acknowledged by id, or the load stops.

The client's bulk helpers do not retry single documents, accept a response with missing items, and
retry when a disk is full. Here every document id is checked. Sending a document twice is harmless,
because its id is given.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson
from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch
from orjson import JSONDecodeError

from gpt4rec_es.elastic.client import BULK_START, client_url
from gpt4rec_es.elastic.errors import TRANSIENT_STATUSES, disk_error, is_transient, plain_error
from gpt4rec_es.elastic.reasons import is_disk_full, reason_of
from gpt4rec_es.elastic.retries import Backoff, without_retries
from gpt4rec_es.elastic.throttle import Throttle
from gpt4rec_es.errors import DataError, DependencyError
from gpt4rec_es.index.mapping import encode_document
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.records import Document

# "error" too: filter_path also applies to responses that refuse the whole request.
ANSWER_FILTER = "error,status,items.*._id,items.*.status,items.*.error,items.*.result"
_HEADERS = {"accept": "application/json", "content-type": "application/x-ndjson"}

# The text after the id of a created document in a response.
_CREATED = b',"result":"created","status":201}}'

# Minimum documents per request when the server is overloaded.
_SMALLEST = 20

# (document id, its two lines)
Line = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class BulkLimits:
    """Maximum size of one request: documents, and bytes (servers accept at most 100 MB)."""

    documents: int = 2000
    bytes: int = 8_000_000


@dataclass(slots=True)
class BulkCounts:
    """Counts of a load; if it returned, all ``sent`` documents were acknowledged."""

    sent: int = 0
    acknowledged: int = 0
    requests: int = 0
    resent: int = 0


def load_documents(
    client: Elasticsearch,
    index: str,
    documents: Iterable[Document],
    *,
    total: int | None = None,
    limits: BulkLimits | None = None,
    backoff: Backoff | None = None,
    throttle: Throttle | None = None,
    progress: Progress = no_progress,
) -> BulkCounts:
    """Send all ``documents`` to ``index`` and return the counts; ``sent`` equals ``acknowledged``.

    Documents that were refused temporarily are sent again, after a wait and in smaller requests.
    One request is in flight at a time; throttle counts documents.

    Raises:
        DependencyError: the server cannot be reached, refuses for longer than ``backoff`` waits, or
        its disk is full (raised at once). DataError: a document itself is refused; the message
        names it.
    """
    loader = _Loader(
        client, index, limits or BulkLimits(), backoff or Backoff(), throttle or Throttle()
    )
    lines = ((document.item_id, encode_document(document)) for document in documents)
    for _ in loader.load(lines):
        progress(loader.counts.acknowledged, total)
    counts = loader.counts
    if counts.acknowledged != counts.sent:
        raise DataError(
            f"{counts.sent} documents were sent to {index}, {counts.acknowledged} acknowledged.",
            "An item id occurs twice.",
        )
    return counts


def created_answer(lines: Sequence[Line]) -> bytes:
    """Return the exact response that acknowledges each of ``lines`` as a new document.

    Comparing takes a third of the time of parsing; any other response is parsed in full.
    """
    named = [line[: line.index(b"}}\n")] for _, line in lines]
    return BULK_START + b",".join([part + _CREATED for part in named]) + b"]}"


class _Loader:
    """One load; temporarily refused documents are sent again together with the next ones."""

    def __init__(
        self,
        client: Elasticsearch,
        index: str,
        limits: BulkLimits,
        backoff: Backoff,
        throttle: Throttle,
    ) -> None:
        self._client, self._index = without_retries(client), index
        self._limits, self._backoff, self._throttle = limits, backoff, throttle
        self._waiting: deque[Line] = deque()
        self._most = limits.documents  # in the next request; reduced while the server refuses
        self._failures = 0  # requests in a row without any acknowledged document
        self.counts = BulkCounts()

    def load(self, source: Iterator[Line]) -> Iterator[None]:
        """Send all of ``source``; yield after each request."""
        self._read(source)
        # Not the other way round: the sending thread must not wait for the GIL.
        with ThreadPoolExecutor(1, "bulk-read-ahead") as reader:
            while batch := self._next():
                reading = reader.submit(self._read, source)
                left, problem, is_too_large = self._send(batch)
                reading.result()
                if left:
                    self._waiting.extendleft(reversed(left))
                    self.counts.resent += len(left)
                    self._retry_smaller(len(batch), len(left), problem, is_too_large)
                else:
                    self._failures = 0
                    self._most = min(self._most * 2, self._limits.documents)
                yield

    def _read(self, source: Iterator[Line]) -> None:
        """Read documents until they fill a request or ``source`` ends."""
        size = sum(len(line) for _, line in self._waiting)
        while len(self._waiting) < self._limits.documents and size <= self._limits.bytes:
            new = next(source, None)
            if new is None:
                break
            self.counts.sent += 1
            self._waiting.append(new)
            size += len(new[1])

    def _next(self) -> list[Line]:
        """Return the lines of the next request, longest waiting first."""
        batch: list[Line] = []
        size = 0
        most = self._throttle.most(self._most)
        while self._waiting and len(batch) < most:
            size += len(self._waiting[0][1])
            if batch and size > self._limits.bytes:
                break
            batch.append(self._waiting.popleft())
        return batch

    def _retry_smaller(self, sent: int, left: int, problem: str, is_too_large: bool) -> None:
        """Reduce the size of the next request and wait; raise after the last try."""
        if is_too_large:  # needs smaller requests, not a wait
            if sent == 1:
                raise DataError(
                    f"The item {self._waiting[0][0]!r} is too large for one request.",
                    "Shorten its texts.",
                )
            self._most = sent // 2
            return
        self._most = max(sent // 2, min(_SMALLEST, self._most))
        self._failures = self._failures + 1 if left == sent else 0
        if not self._backoff.wait(max(self._failures, 1)):
            raise DependencyError(
                f"Elasticsearch at {client_url(self._client)} did not take documents "
                f"in {self._failures} tries: {problem}.",
                "This build is not live. Try again when the server has recovered.",
            )

    def _send(self, lines: list[Line]) -> tuple[list[Line], str, bool]:
        """Return the lines not acknowledged, the reason, and whether the request was too large."""
        self.counts.requests += 1
        self._throttle.take(len(lines))
        try:
            answer: Any = self._client.perform_request(
                "POST",
                f"/{self._index}/_bulk",
                params={"filter_path": ANSWER_FILTER},
                headers=_HEADERS,
                body=b"".join([line for _, line in lines]),
            )
            left, problem = self._check(lines, answer.body)
        except (ApiError, TransportError, JSONDecodeError) as error:
            if isinstance(error, ApiError) and error.status_code == 413:
                return lines, "request too large", True
            if not is_transient(error):
                raise plain_error(error, self._client) from error
            return lines, plain_error(error, self._client).message.rstrip("."), False
        return left, problem, False

    def _check(self, lines: list[Line], body: Any) -> tuple[list[Line], str]:
        """Return the lines that the response does not acknowledge by id, and the reason."""
        if body == created_answer(lines):
            self.counts.acknowledged += len(lines)
            return [], ""
        answer = orjson.loads(body) if isinstance(body, bytes) else body
        results = (answer.get("items") if isinstance(answer, dict) else None) or []
        acknowledged: set[str] = set()
        problem = f"an answer about {len(results)} of {len(lines)} documents"
        for result in results:
            entry = next(iter(result.values()), None) if isinstance(result, dict) else None
            if not isinstance(entry, dict) or not isinstance(entry.get("status"), int):
                problem = "an answer without the state of a document"
            elif entry["status"] in {200, 201}:
                acknowledged.add(str(entry.get("_id")))
            else:
                problem = self._refusal(entry)
        left = [line for line in lines if line[0] not in acknowledged]
        self.counts.acknowledged += len(acknowledged.intersection(name for name, _ in lines))
        return left, problem

    def _refusal(self, entry: dict[str, Any]) -> str:
        """Return why one document was refused temporarily; raise if the refusal is permanent."""
        error, status = entry.get("error"), entry["status"]
        if is_disk_full(error):
            raise disk_error(f"Elasticsearch at {client_url(self._client)}")
        reason = f"{status}: {reason_of(error)}"
        if status not in TRANSIENT_STATUSES:
            raise DataError(f"Elasticsearch refuses the item {entry.get('_id')!r} ({reason}).")
        return reason
