"""Searches with a failing server: no lost hits, no false "no hits"."""

import random
import threading
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from gpt4rec_es.elastic.client import make_client
from gpt4rec_es.elastic.retries import Backoff
from gpt4rec_es.errors import DataError, DependencyError, UsageError
from gpt4rec_es.records import SearchResult
from gpt4rec_es.retrieval import ElasticRetriever
from tests.elastic.stub import Reply, Request, stub

WHOLE = {"total": 1, "successful": 1, "failed": 0}
REJECTED = {"type": "es_rejected_execution_exception", "reason": "queue is full"}
TEXTS = [f"query {number}" for number in range(200)]


def hits_of(text: str, size: int) -> list[dict[str, Any]]:
    """Return the stub's hits: up to 8 items derived from the text; none for every ninth text."""
    seed = zlib.crc32(text.encode())
    count = 0 if seed % 9 == 0 else min(size, 8)
    return [{"sort": [10.0 - rank, f"id{rank}", (seed + rank) % 997]} for rank in range(count)]


def found(text: str, size: int) -> SearchResult:
    hits = hits_of(text, size)
    return SearchResult(
        tuple(hit["sort"][2] for hit in hits),
        tuple(hit["sort"][0] for hit in hits),
        len(hits) < size,
    )


def whole(hits: list[dict[str, Any]]) -> dict[str, Any]:
    found = {"hits": {"hits": hits}} if hits else {}
    return {"timed_out": False, "_shards": WHOLE, **found, "status": 200}


@dataclass
class Node:
    """A node that answers searches; the fraction ``fault_rate`` of the responses has faults.

    is_compact: write JSON as a real server does; else with spaces.
    """

    is_compact: bool = True
    fault_rate: float = 0.0
    seed: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    sizes: list[int] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    wait_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def __call__(self, request: Request) -> Reply:
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.wait_s)
        with self.lock:
            self.at_once -= 1
            return self.answer(request)

    def answer(self, request: Request) -> Reply:
        bodies = request.lines[1::2]
        self.sizes.append(len(bodies))
        self.headers.append(request.headers)
        answers = [self.one(body) for body in bodies]
        what = self.chance.random() / self.fault_rate if self.fault_rate else 1.0
        if what < 0.2:
            return Reply()
        if what < 0.4:
            return Reply({"error": REJECTED, "status": 429}, 429)
        if what < 0.6:
            # Any response may be missing: later ones are then at the wrong position.
            del answers[self.chance.randrange(len(answers))]
        elif what < 0.7:
            return Reply({})
        body = {"responses": answers}
        return Reply(orjson.dumps(body) if self.is_compact else body)

    def one(self, body: dict[str, Any]) -> dict[str, Any]:
        match = body["query"]["bool"]["must"][0]["match"]["title"]
        text = match["query"]
        if "zero_terms_query" in match:
            self.checked[text] += 1
            hits = hits_of("full", 1) if text == "???" else []
        else:
            self.asked[text] += 1
            hits = [] if text == "???" else hits_of(text, body["size"])
        if self.chance.random() < self.fault_rate:
            return self.fault(hits)
        return whole(hits)

    def fault(self, hits: list[dict[str, Any]]) -> dict[str, Any]:
        broken: list[dict[str, Any]] = [
            {"status": 429, "error": REJECTED},
            {"status": 503, "error": {"reason": "no shard available"}},
            {"status": 500, "error": {"reason": "something broke"}},
            whole(hits[:1]) | {"_shards": {"total": 1, "successful": 0, "failed": 1}},
            whole([]) | {"timed_out": True},
            whole([]) | {"_shards": {"total": 2, "successful": 1, "failed": 0}},
            {},
        ]
        return self.chance.choice(broken)


def retriever(url: str, **options: Any) -> ElasticRetriever:
    options.setdefault("backoff", Backoff(sleep=lambda _: None, attempts=50))
    return ElasticRetriever(make_client(url), "items-1", "run-1", **options)


@pytest.mark.parametrize("seed", range(10))
def test_after_a_storm_every_result_is_right(seed: int) -> None:
    node = Node(fault_rate=0.3, seed=seed, is_compact=seed % 2 == 0)
    with stub(node) as url:
        searcher = retriever(url, searches_per_request=30, requests_in_flight=3)
        assert searcher.search(TEXTS, 5) == [found(text, 5) for text in TEXTS]
    assert searcher.counts.searches == len(TEXTS)
    assert searcher.counts.repeated > 0


def test_undisturbed_each_distinct_text_is_sent_once() -> None:
    node = Node()
    with stub(node) as url:
        searcher = retriever(url, searches_per_request=30)
        texts = [*TEXTS, *TEXTS[:50], "  query   7 "]
        results = searcher.search(texts, 5)
    assert results == [found(" ".join(text.split()), 5) for text in texts]
    assert set(node.asked.values()) == {1}
    assert set(node.asked) == set(TEXTS)
    counts = searcher.counts
    assert (counts.searches, counts.repeated) == (len(TEXTS), 0)
    assert counts.checks == sum(not hits_of(text, 5) for text in TEXTS) == len(node.checked)


def test_only_failed_searches_are_sent_again() -> None:
    tries: Counter[str] = Counter()

    def script(request: Request) -> Reply:
        answers = []
        for body in request.lines[1::2]:
            text = body["query"]["bool"]["must"][0]["match"]["title"]["query"]
            tries[text] += 1
            is_refused = text == "query 3" and tries[text] < 3
            answers.append({"status": 429, "error": REJECTED} if is_refused else whole([HIT]))
        return Reply({"responses": answers})

    with stub(script) as url:
        retriever(url).search(TEXTS[:10], 5)
    assert tries.pop("query 3") == 3
    assert set(tries.values()) == {1}


HIT = {"sort": [1.5, "id", 4]}


def test_a_text_without_a_term_is_told_from_one_without_a_hit() -> None:
    with stub(Node()) as url:
        empty, hit = retriever(url).search(["???", "query 1"], 5)
    assert empty == SearchResult((), (), exhausted=True, is_empty_query=True)
    assert not hit.is_empty_query


@pytest.mark.parametrize("in_flight", [1, 3])
def test_requests_in_flight_and_their_size_are_bounded(in_flight: int) -> None:
    node = Node(wait_s=0.02)
    with stub(node) as url:
        searcher = retriever(url, searches_per_request=10, requests_in_flight=in_flight)
        searcher.search(TEXTS, 5)
    assert max(node.sizes) == 10
    assert node.most_at_once == in_flight


def test_a_request_that_is_too_much_for_the_server_is_made_smaller() -> None:
    node = Node()

    def script(request: Request) -> Reply:
        if len(request.lines) > 2 * 30:
            return Reply({"error": {"reason": "data too large"}, "status": 429}, 429)
        return node(request)

    with stub(script) as url:
        searcher = retriever(url, backoff=Backoff(sleep=lambda _: None, attempts=5))
        assert searcher.search(TEXTS, 5) == [found(text, 5) for text in TEXTS]
    # 200, 100, 50, then repeated
    assert node.sizes[:8] == [25] * 8


def test_deep_searches_go_in_smaller_requests() -> None:
    node = Node()
    with stub(node) as url:
        retriever(url).search([text for text in TEXTS if hits_of(text, 1)], 10_000)
    assert max(node.sizes) == 10


def test_the_run_is_named_in_every_request() -> None:
    node = Node()
    with stub(node) as url:
        retriever(url).search(TEXTS, 5)
    assert {headers.get("x-opaque-id") for headers in node.headers} == {"run-1"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 503, "error": {"reason": "no shard available"}}, "no shard available"),
        (whole([]) | {"timed_out": True}, "cut off by a time limit"),
        (whole([HIT]) | {"_shards": {"total": 1, "successful": 0, "failed": 1}}, "0 of 1 shards"),
        ({}, "None: "),
    ],
)
def test_one_search_that_never_succeeds_is_an_error_not_an_empty_result(
    answer: dict[str, Any], said: str
) -> None:
    waits: list[float] = []

    def script(request: Request) -> Reply:
        return Reply(
            {
                "responses": [
                    answer if "query 3" in str(body) else whole([HIT])
                    for body in request.lines[1::2]
                ]
            }
        )

    with stub(script) as url:
        searcher = ElasticRetriever(
            make_client(url), "items-1", backoff=Backoff(sleep=waits.append)
        )
        with pytest.raises(DependencyError, match=f"did not answer 1 searches.*{said}"):
            searcher.search(["query 1", "query 3", "query 4"], 5)
    assert 60 < sum(waits) < 180


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (
            {"status": 400, "error": {"reason": "bad"}},
            DataError,
            "refuses the search for 'query 3'",
        ),
        ({"status": 404, "error": {"reason": "no such index"}}, DataError, "items-1 is gone"),
        ({"status": 403, "error": {"reason": "no"}}, DependencyError, "does not allow"),
    ],
)
def test_what_no_retry_cures_is_told_at_once(
    answer: dict[str, Any], kind: type[Exception], said: str
) -> None:
    requests: list[Request] = []

    def script(request: Request) -> Reply:
        requests.append(request)
        return Reply({"responses": [whole([HIT]), answer]})

    with stub(script) as url, pytest.raises(kind, match=said):
        retriever(url).search(["query 1", "query 3"], 5)
    assert len(requests) == 1


@pytest.mark.parametrize("depth", [0, -1, 10_001])
def test_a_depth_that_no_index_allows_is_refused_unsent(depth: int) -> None:
    with pytest.raises(UsageError, match="not between 1 and 10000"):
        retriever("http://127.0.0.1:1").search(["red"], depth)


@pytest.mark.parametrize("body", [b"never", b'{"responses":[{"timed_out":false', b'{"responses":['])
def test_an_answer_that_is_not_json_is_told_at_once(body: bytes) -> None:
    with (
        stub(lambda _: Reply(body)) as url,
        pytest.raises(DependencyError, match="something that is not JSON"),
    ):
        retriever(url).search(["red"], 10)


def test_nothing_is_sent_for_no_texts() -> None:
    assert retriever("http://127.0.0.1:1").search([], 10) == []


def test_an_unreachable_server_is_a_dependency_error() -> None:
    with pytest.raises(DependencyError, match="Connection refused"):
        retriever("http://127.0.0.1:1", backoff=Backoff(sleep=lambda _: None, attempts=3)).search(
            ["red"], 10
        )
