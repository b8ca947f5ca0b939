"""Answers to bulk requests with holes: their documents are sent again, none is taken as stored."""

from typing import Any

import pytest

from gpt4rec_es.elastic.client import make_client
from gpt4rec_es.elastic.retries import Backoff
from gpt4rec_es.elastic.throttle import Throttle
from gpt4rec_es.index.bulk import BulkLimits, _Loader

LINES = [("a", b'{"index":{"_id":"a"}}\n{}\n'), ("b", b'{"index":{"_id":"b"}}\n{}\n')]
GOOD = {"index": {"_id": "a", "status": 201, "result": "created"}}


@pytest.mark.parametrize(
    "item", [None, {}, {"index": None}, {"index": {}}, {"index": {"status": "201"}}, 7, []]
)
def test_an_item_without_its_state_is_not_acknowledged(item: Any) -> None:
    loader = _Loader(
        make_client("http://127.0.0.1:9"), "items-1", BulkLimits(), Backoff(), Throttle()
    )
    left, problem = loader._check(LINES, {"items": [GOOD, item]})
    assert left == [LINES[1]]
    assert problem == "an answer without the state of a document"
    assert loader.counts.acknowledged == 1


@pytest.mark.parametrize("body", [{"items": None}, {}, None, []])
def test_an_answer_without_items_acknowledges_nothing(body: Any) -> None:
    loader = _Loader(
        make_client("http://127.0.0.1:9"), "items-1", BulkLimits(), Backoff(), Throttle()
    )
    left, problem = loader._check(LINES, body)
    assert (left, problem) == (LINES, "an answer about 0 of 2 documents")
