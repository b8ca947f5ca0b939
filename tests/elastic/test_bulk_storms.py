"""Bulk loads to a server with refusals, lost documents and closed connections."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.client import make_client
from gpt4rec_es.elastic.retries import Backoff
from gpt4rec_es.errors import DataError, DependencyError
from gpt4rec_es.index.bulk import BulkCounts, BulkLimits, load_documents
from gpt4rec_es.records import Document
from tests.elastic.stub import Reply, Request, Script, stub

REJECTED = {"type": "es_rejected_execution_exception", "reason": "queue is full"}
FLOOD = {
    "type": "cluster_block_exception",
    "reason": "index [x] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage "
    "watermark, index has read-only-allow-delete block];",
}


def documents(count: int) -> list[Document]:
    return [Document(n, f"B{n:05}", f"title {n}", None, None, None, True) for n in range(count)]


@dataclass
class RecordedWaits:
    """Records waits instead of sleeping."""

    seconds: list[float] = field(default_factory=list)

    @property
    def backoff(self) -> Backoff:
        return Backoff(sleep=self.seconds.append)


def load(
    url: str, count: int, waits: RecordedWaits, *, at_once: int = 40, timeout_s: float = 5.0
) -> BulkCounts:
    client: Elasticsearch = make_client(url, read_timeout_s=timeout_s)
    try:
        return load_documents(
            client,
            "items-1",
            iter(documents(count)),
            limits=BulkLimits(documents=at_once),
            backoff=waits.backoff,
        )
    finally:
        client.close()


def done(name: str) -> dict[str, Any]:
    return {"index": {"_id": name, "result": "created", "status": 201}}


def refused(name: str, status: int, error: dict[str, Any]) -> dict[str, Any]:
    return {"index": {"_id": name, "status": status, "error": error}}


class Node:
    """A node that stores documents, with random faults.

    With an odd seed it writes JSON as a real server does, with an even one with spaces.
    """

    def __init__(self, seed: int) -> None:
        self.is_compact = seed % 2 == 1
        self.chance = random.Random(seed)
        self.kept: dict[str, Any] = {}

    def __call__(self, request: Request) -> Reply:
        lines = request.lines
        pairs = [
            (a["index"]["_id"], source) for a, source in zip(lines[::2], lines[1::2], strict=True)
        ]
        what = self.chance.random()
        if len(pairs) > 25 and what < 0.3:
            return Reply({"error": {"type": "x", "reason": "too large"}, "status": 413}, 413)
        if what < 0.1:
            return Reply()  # connection closed before storing
        if what < 0.2:
            return Reply({"error": REJECTED, "status": 429}, 429)
        if what < 0.25:
            return Reply({"error": {"reason": "no master"}, "status": 503}, 503)
        items = []
        for name, source in pairs:
            if what < 0.8 and self.chance.random() < 0.3:
                items.append(refused(name, self.chance.choice([429, 503]), REJECTED))
            else:
                self.kept[name] = source
                items.append(done(name))
        if what < 0.35:
            return Reply()  # connection closed after storing
        if what < 0.45:
            items = items[: len(items) // 2]  # a response with missing items
        body = {"items": items}
        return Reply(orjson.dumps(body) if self.is_compact else body)


@pytest.mark.parametrize("seed", range(20))
def test_after_a_storm_every_document_is_there(seed: int) -> None:
    node, waits = Node(seed), RecordedWaits()
    with stub(node) as url:
        counts = load(url, 300, waits)
    assert {name: source["item_no"] for name, source in node.kept.items()} == {
        document.item_id: document.item_no for document in documents(300)
    }
    assert counts.sent == counts.acknowledged == 300
    assert counts.resent > 0
    assert waits.seconds
    assert all(0.5 <= wait <= 30 for wait in waits.seconds)


@pytest.mark.parametrize("write", [lambda body: body, orjson.dumps])
def test_undisturbed_every_document_is_sent_once_in_requests_of_the_given_size(
    write: Callable[[Any], Any],
) -> None:
    seen: list[list[str]] = []

    def script(request: Request) -> Reply:
        names = [line["index"]["_id"] for line in request.lines[::2]]
        seen.append(names)
        return Reply(write({"items": [done(name) for name in names]}))

    with stub(script) as url:
        counts = load(url, 100, RecordedWaits(), at_once=40)
    assert counts.acknowledged == 100
    assert [len(names) for names in seen] == [40, 40, 20]
    assert [name for names in seen for name in names] == [d.item_id for d in documents(100)]
    assert (counts.requests, counts.resent) == (3, 0)


def test_requests_are_bounded_by_bytes_too() -> None:
    sizes: list[int] = []

    def script(request: Request) -> Reply:
        sizes.append(len(request.body))
        names = [line["index"]["_id"] for line in request.lines[::2]]
        return Reply({"items": [done(name) for name in names]})

    with stub(script) as url:
        client = make_client(url)
        load_documents(client, "items-1", documents(50), limits=BulkLimits(bytes=1000))
    assert len(sizes) > 5
    assert max(sizes) <= 1000


@pytest.mark.parametrize(
    "answer",
    [
        Reply({"items": [refused("B00000", 429, FLOOD)]}),
        Reply({"items": [refused("B00000", 403, FLOOD)]}),
        Reply({"error": FLOOD, "status": 429}, 429),
        Reply({"error": FLOOD, "status": 403}, 403),
    ],
)
def test_a_full_disk_stops_at_once(answer: Reply) -> None:
    requests: list[Request] = []
    waits = RecordedWaits()

    def script(request: Request) -> Reply:
        requests.append(request)
        return answer

    with stub(script) as url, pytest.raises(DependencyError, match="disk is almost full"):
        load(url, 1, waits)
    assert (len(requests), waits.seconds) == (1, [])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Reply({"items": [refused("B00000", 429, REJECTED)]}), "queue is full"),
        (Reply({"items": []}), "an answer about 0 of 1 documents"),
        (Reply({}), "an answer about 0 of 1 documents"),
        (Reply(), "cannot be reached"),
        (Reply({"error": REJECTED, "status": 503}, 503), "queue is full"),
        (Reply({"items": [done("another")]}), "an answer about 1 of 1 documents"),
    ],
)
def test_endless_refusal_ends_in_an_error_after_minutes(answer: Reply, said: str) -> None:
    waits = RecordedWaits()
    with stub(lambda _: answer) as url, pytest.raises(DependencyError, match=said):
        load(url, 1, waits)
    assert len(waits.seconds) == 9
    assert 60 < sum(waits.seconds) < 180


def test_a_refused_document_is_named() -> None:
    error = {"type": "document_parsing_exception", "reason": "failed to parse field [price]"}

    def script(request: Request) -> Reply:
        names = [line["index"]["_id"] for line in request.lines[::2]]
        return Reply(
            {"items": [done(n) if n != "B00007" else refused(n, 400, error) for n in names]}
        )

    with stub(script) as url, pytest.raises(DataError, match=r"'B00007' \(400: failed to parse"):
        load(url, 20, RecordedWaits())


def test_a_document_larger_than_any_request_is_named() -> None:
    sizes: list[int] = []

    def script(request: Request) -> Reply:
        sizes.append(len(request.lines) // 2)
        return Reply({"error": {"reason": "entity too large"}, "status": 413}, 413)

    with stub(script) as url, pytest.raises(DataError, match="'B00000' is too large"):
        load(url, 8, RecordedWaits())
    assert sizes == [8, 4, 2, 1]


def test_a_request_without_an_answer_in_time_is_sent_again() -> None:
    calls: list[int] = []

    def script(request: Request) -> Reply:
        calls.append(1)
        if len(calls) == 1:
            time.sleep(0.6)
        names = [line["index"]["_id"] for line in request.lines[::2]]
        return Reply({"items": [done(name) for name in names]})

    with stub(script) as url:
        counts = load(url, 10, RecordedWaits(), timeout_s=0.3)
    assert counts.acknowledged == 10
    assert counts.resent == 10


def test_an_id_that_occurs_twice_is_not_taken_for_two_documents() -> None:
    def script(request: Request) -> Reply:
        return Reply({"items": [done(line["index"]["_id"]) for line in request.lines[::2]]})

    twice = [*documents(3), documents(1)[0]]
    with stub(script) as url, pytest.raises(DataError, match=r"4 documents were sent.*3 ackn"):
        load_documents(make_client(url), "items-1", twice)


def script_of(status: int, body: Any, *, is_elasticsearch: bool = True) -> Script:
    return lambda _: Reply(body, status, is_elasticsearch)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (script_of(401, {"error": "security", "status": 401}), "refuses the credentials"),
        (script_of(200, {}, is_elasticsearch=False), "is not Elasticsearch"),
    ],
)
def test_a_server_that_cannot_be_used_is_told_at_once(script: Script, said: str) -> None:
    waits = RecordedWaits()
    with stub(script) as url, pytest.raises(DependencyError, match=said):
        load(url, 3, waits)
    assert waits.seconds == []


def test_an_answer_that_is_not_json_is_asked_again_and_then_told() -> None:
    waits = RecordedWaits()
    with stub(script_of(200, b"<html>")) as url, pytest.raises(DependencyError, match="not JSON"):
        load(url, 3, waits)
    assert waits.seconds
