"""Loading documents, so that each one sent is acknowledged by name, or the load stops.

The client's own bulk helpers lose or abort: they do not retry single documents, take a short answer
for a full one and retry a full disk in vain. Here every document is checked off by its id. Sending
one twice is harmless because it carries its id.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from gpt4rec_es.elastic.backoff import Backoff
from gpt4rec_es.elastic.client import client_url
from gpt4rec_es.elastic.errors import (
    TRANSIENT_STATUSES,
    disk_error,
    is_disk_full,
    is_transient,
    plain_error,
    reason_of,
)
from gpt4rec_es.errors import DataError, DependencyError
from gpt4rec_es.index.documents import encode_document
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.records import Document

# "error" too: the filter applies to answers that refuse the whole request.
_FILTER = "error,status,items.*._id,items.*.status,items.*.error"
_HEADERS = {"accept": "application/json", "content-type": "application/x-ndjson"}

# (document id, its two lines)
Line = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class BulkLimits:
    """How large one request may be: documents, and bytes (servers take 100 MB at most)."""

    documents: int = 2000
    bytes: int = 8_000_000


@dataclass(slots=True)
class BulkCounts:
    """What a load did. ``sent`` documents were all acknowledged if the load returned."""

    sent: int = 0
    acknowledged: int = 0
    requests: int = 0
    resent: int = 0
    failures: list[str] = field(default_factory=list)


def load_documents(
    client: Elasticsearch,
    index: str,
    documents: Iterable[Document],
    *,
    total: int | None = None,
    limits: BulkLimits | None = None,
    backoff: Backoff | None = None,
    progress: Progress = no_progress,
) -> BulkCounts:
    """Send all ``documents`` to ``index`` and return the counts; ``sent`` equals ``acknowledged``.

    Documents that were refused for now are sent again, after a wait and in smaller requests.

    Raises:
        DependencyError: the server cannot be reached or refuses for longer than ``backoff`` waits,
            or its disk is full (at once).
        DataError: a document itself is refused; the message names it.
    """
    loader = _Loader(client, index, backoff or Backoff())
    for chunk in _chunks(documents, limits or BulkLimits()):
        loader.counts.sent += len(chunk)
        loader.load(chunk)
        progress(loader.counts.acknowledged, total)
    if loader.counts.acknowledged != loader.counts.sent:
        raise DataError(
            f"{loader.counts.sent} documents were sent to {index}, "
            f"{loader.counts.acknowledged} acknowledged.",
            "An item id occurs twice.",
        )
    return loader.counts


def _chunks(documents: Iterable[Document], limits: BulkLimits) -> Iterator[list[Line]]:
    chunk: list[Line] = []
    size = 0
    for document in documents:
        line = encode_document(document)
        if chunk and (len(chunk) >= limits.documents or size + len(line) > limits.bytes):
            yield chunk
            chunk, size = [], 0
        chunk.append((document.item_id, line))
        size += len(line)
    if chunk:
        yield chunk


class _Loader:
    """One load: sends chunks until every document in them is acknowledged."""

    def __init__(self, client: Elasticsearch, index: str, backoff: Backoff) -> None:
        self._client, self._index, self._backoff = client, index, backoff
        self._failures = 0  # in a row, without any document getting through
        self.counts = BulkCounts()

    def load(self, chunk: Sequence[Line]) -> None:
        waiting = [list(chunk)]
        while waiting:
            lines = waiting.pop()
            left, problem, is_too_large = self._send(lines)
            if len(left) < len(lines):
                self._failures = 0
            if not left:
                continue
            self.counts.resent += len(left)
            if is_too_large and len(lines) == 1:
                raise DataError(
                    f"The item {lines[0][0]!r} is too large for one request.", "Shorten its texts."
                )
            if not is_too_large:  # that one needs smaller requests, not patience
                self._wait(problem)
            half = len(left) // 2
            waiting += [left[half:], left[:half]] if half else [left]

    def _wait(self, problem: str) -> None:
        self._failures += 1
        self.counts.failures.append(problem)
        if not self._backoff.wait(self._failures):
            raise DependencyError(
                f"Elasticsearch at {client_url(self._client)} did not take documents "
                f"in {self._failures} tries: {problem}.",
                "Nothing is live of this build. Try again when the server has recovered.",
            )

    def _send(self, lines: list[Line]) -> tuple[list[Line], str, bool]:
        """Return the lines not acknowledged, why, and whether the request was too large."""
        self.counts.requests += 1
        try:
            answer = self._client.perform_request(
                "POST",
                f"/{self._index}/_bulk",
                params={"filter_path": _FILTER},
                headers=_HEADERS,
                body=b"".join(line for _, line in lines),
            ).body
        except (ApiError, TransportError) as error:
            if isinstance(error, ApiError) and error.status_code == 413:
                return lines, "request too large", True
            if not is_transient(error):
                raise plain_error(error, self._client) from error
            return lines, plain_error(error, self._client).message.rstrip("."), False
        left, problem = self._check(lines, answer)
        return left, problem, False

    def _check(self, lines: list[Line], answer: Any) -> tuple[list[Line], str]:
        """Return the lines that the answer does not acknowledge by name, and why."""
        results = answer.get("items", []) if isinstance(answer, dict) else []
        acknowledged: set[str] = set()
        problem = f"an answer about {len(results)} of {len(lines)} documents"
        for result in results:
            entry = result["index"]
            if entry["status"] in {200, 201}:
                acknowledged.add(entry["_id"])
            else:
                problem = self._refusal(entry)
        left = [line for line in lines if line[0] not in acknowledged]
        self.counts.acknowledged += len(acknowledged.intersection(name for name, _ in lines))
        return left, problem

    def _refusal(self, entry: dict[str, Any]) -> str:
        """Return why one document was refused for now; raise if it always will be."""
        error, status = entry.get("error"), entry["status"]
        if is_disk_full(error):
            raise disk_error(f"Elasticsearch at {client_url(self._client)}")
        reason = f"{status}: {reason_of(error)}"
        if status not in TRANSIENT_STATUSES:
            raise DataError(f"Elasticsearch refuses the item {entry.get('_id')!r} ({reason}).")
        return reason
