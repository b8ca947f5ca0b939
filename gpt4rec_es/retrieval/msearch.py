"""Retriever on Elasticsearch by msearch; every response is checked.

An msearch returns 200 even if its searches failed, and its responses are matched by position only.
So the number of responses must equal the number of searches, and each must have status 200, no
timeout and no failed shards, or its search is repeated. An error never becomes "no hits".
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch
from orjson import JSONDecodeError

from gpt4rec_es.elastic.client import client_url
from gpt4rec_es.elastic.errors import is_transient, plain_error
from gpt4rec_es.elastic.names import check_name
from gpt4rec_es.elastic.queries import search_text
from gpt4rec_es.elastic.retries import Backoff, without_retries
from gpt4rec_es.elastic.throttle import Throttle
from gpt4rec_es.errors import DependencyError, UsageError
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.records import SearchResult
from gpt4rec_es.retrieval.answers import Hits, read_answers
from gpt4rec_es.retrieval.body import Template, require_depth

# Parts of a response that are returned (filter_path).
ANSWER_FILTER = (
    "error,status,responses.status,responses.error,responses.timed_out,responses._shards.total,"
    "responses._shards.successful,responses._shards.failed,responses.hits.hits.sort"
)
# Limits of one request besides its number of searches: hits returned, and bytes sent.
_HITS_PER_REQUEST = 100_000
_BYTES_PER_REQUEST = 4_000_000

# Texts, and the lines of each in a request.
Batch = tuple[Sequence[str], Sequence[bytes]]


@dataclass(slots=True)
class SearchCounts:
    """Counts of a retriever's searches since its creation.

    searches: texts searched for, each counted once; repeated: searches sent again. checks: searches
    that check whether a text without a hit has a term.
    """

    searches: int = 0
    checks: int = 0
    repeated: int = 0
    requests: int = 0


class ElasticRetriever:
    """Searches one concrete index; ``counts``: searches sent. Thread-safe."""

    def __init__(
        self,
        client: Elasticsearch,
        index: str,
        run_id: str = "",
        *,
        searches_per_request: int = 1000,
        requests_in_flight: int = 2,
        backoff: Backoff | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        """Set the concrete ``index`` (never the alias, which may be swapped).

        run_id: sent as X-Opaque-Id, which the server logs. backoff: waits after refusals; the
        default gives up after about a minute without any response. throttle: limits searches,
        including repeated ones; None: unlimited.
        """
        if searches_per_request < 1 or requests_in_flight < 1:
            raise UsageError("Searches per request and requests in flight must be at least 1.")
        self._client = without_retries(client)
        self._path = f"/{check_name(index)}/_msearch"
        self._index = index
        self._headers = {"accept": "application/json", "content-type": "application/x-ndjson"}
        if run_id:
            self._headers["x-opaque-id"] = run_id
        self._per_request = searches_per_request
        self._in_flight = requests_in_flight
        self._slots = threading.BoundedSemaphore(requests_in_flight)
        self._backoff = backoff or Backoff(attempts=7)
        self._throttle = throttle or Throttle()
        self._lock = threading.Lock()
        self.counts = SearchCounts()

    def search(
        self, texts: Sequence[str], depth: int, options: SearchOptions = ANY_TERM
    ) -> list[SearchResult]:
        """Return the best ``depth`` active items for each text, in order, found by ``options``.

        Equal texts are sent once; of long texts only the first 64 words are used.

        Raises:
            UsageError: ``depth`` is not between 1 and 10,000, or a text is not valid Unicode.
            DataError: Elasticsearch refuses a text (the message names it), or the index is deleted.
            DependencyError: a search could not be answered; it never becomes "no hits".
        """
        require_depth(depth)
        wanted = [search_text(text, options) for text in texts]
        distinct = list(dict.fromkeys(wanted))
        self._count(searches=len(distinct))
        template = Template.search(depth, options)
        found = self._ask(distinct, [template.fill(text) for text in distinct], depth)
        without = [text for text, hits in zip(distinct, found, strict=True) if not hits[0]]
        self._count(checks=len(without))
        check = Template.has_no_term()
        checked = self._ask(without, [check.fill(text) for text in without], 1)
        empty = {text for text, hits in zip(without, checked, strict=True) if hits[0]}
        results = [
            SearchResult(item_nos, scores, len(item_nos) < depth, text in empty)
            for text, (item_nos, scores) in zip(distinct, found, strict=True)
        ]
        if len(distinct) == len(wanted):
            return results
        by_text = dict(zip(distinct, results, strict=True))
        return [by_text[text] for text in wanted]

    def _ask(self, texts: Sequence[str], lines: Sequence[bytes], depth: int) -> list[Hits]:
        """Return (item numbers, scores) per text, with up to ``requests_in_flight`` at once."""
        batches = list(self._batches(texts, lines, depth))
        if len(batches) < 2:
            answered = [self._ask_batch(batch) for batch in batches]
        else:
            # One more than requests in flight: while one thread parses, the server stays busy.
            with ThreadPoolExecutor(min(self._in_flight + 1, len(batches))) as pool:
                answered = list(pool.map(self._ask_batch, batches))
        return list(chain.from_iterable(answered))

    def _batches(self, texts: Sequence[str], lines: Sequence[bytes], depth: int) -> Iterator[Batch]:
        most = max(1, min(self._throttle.most(self._per_request), _HITS_PER_REQUEST // depth))
        start = 0
        while start < len(lines):
            number = len(lines[start : start + most])
            while number > 1 and sum(map(len, lines[start : start + number])) > _BYTES_PER_REQUEST:
                number //= 2
            yield texts[start : start + number], lines[start : start + number]
            start += number

    def _ask_batch(self, batch: Batch) -> list[Hits]:
        """Send requests until all searches of the batch are answered; failed ones are repeated."""
        texts, lines = batch
        answers: list[Hits | None] = [None] * len(texts)
        waiting = list(range(len(texts)))
        most = len(waiting)
        failures = 0
        while waiting:
            sent, later = waiting[:most], waiting[most:]
            found, problem = self._send(
                [texts[place] for place in sent], [lines[place] for place in sent]
            )
            for place, hits in zip(sent, found, strict=True):
                answers[place] = hits
            left = [place for place in sent if answers[place] is None]
            waiting = left + later
            if not left:
                failures = 0
                continue
            # Without any response the request may have been too large, for time or memory.
            failures, most = (failures + 1, -(-most // 2)) if left == sent else (0, most)
            self._count(repeated=len(left))
            if not self._backoff.wait(max(failures, 1)):
                raise DependencyError(
                    f"Elasticsearch at {client_url(self._client)} did not answer "
                    f"{len(waiting)} searches of {self._index} in {failures} tries: {problem}.",
                    "Try again when it has recovered.",
                )
        return [hits for hits in answers if hits is not None]

    def _send(self, texts: Sequence[str], lines: Sequence[bytes]) -> tuple[list[Hits | None], str]:
        """Return the hits of each search, None for unanswered ones, and the reason."""
        self._count(requests=1)
        self._throttle.take(len(texts))
        body = b"".join(lines)
        try:
            with self._slots:
                answer: Any = self._client.perform_request(
                    "POST",
                    self._path,
                    params={"filter_path": ANSWER_FILTER},
                    headers=self._headers,
                    body=body,
                )
            return read_answers(answer.body, texts, self._index)
        except (ApiError, TransportError, JSONDecodeError) as error:
            if not is_transient(error):
                raise plain_error(error, self._client) from error
            return [None] * len(texts), plain_error(error, self._client).message.rstrip(".")

    def _count(self, **more: int) -> None:
        with self._lock:
            for name, number in more.items():
                setattr(self.counts, name, getattr(self.counts, name) + number)
