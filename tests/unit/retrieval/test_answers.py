from typing import Any

import pytest

from gpt4rec_es.errors import DataError, DependencyError
from gpt4rec_es.retrieval.answers import fault_of, read_hits

WHOLE = {
    "status": 200,
    "timed_out": False,
    "_shards": {"total": 1, "successful": 1, "failed": 0},
}


def test_a_whole_answer_has_no_fault() -> None:
    assert fault_of(WHOLE, "red", "items-1") is None
    assert read_hits(WHOLE) == ((), ())


def test_hits_are_read_in_order() -> None:
    hits = [{"sort": [2.5, "B", 7]}, {"sort": [1, "A", 3]}]
    assert read_hits(WHOLE | {"hits": {"hits": hits}}) == ((7, 3), (2.5, 1))


@pytest.mark.parametrize(
    "change",
    [
        {"timed_out": True},
        {"timed_out": None},
        {"_shards": {"total": 1, "successful": 0, "failed": 1}},
        {"_shards": {"total": 2, "successful": 1, "failed": 0}},
        {"_shards": {"total": 0, "successful": 0, "failed": 0}},
        {"_shards": {"total": 1, "successful": 1, "failed": 1}},
        {"_shards": {}},
        {"status": 429, "error": {"reason": "rejected"}},
        {"status": 503, "error": {"reason": "no shard"}},
        {"status": 500, "error": {"reason": "broken"}},
        {"status": None},
        {"error": {"reason": "an error with status 200"}},
    ],
)
def test_what_is_not_whole_is_asked_again(change: dict[str, Any]) -> None:
    assert fault_of(WHOLE | change, "red", "items-1")


def test_an_answer_of_nothing_is_no_answer() -> None:
    assert fault_of({}, "red", "items-1")


def test_a_refused_search_names_its_text() -> None:
    answer = {"status": 400, "error": {"root_cause": [{"reason": "too many clauses"}]}}
    with pytest.raises(DataError, match="'red dress': too many clauses"):
        fault_of(answer, "red dress", "items-1")


def test_a_lost_index_and_missing_rights_are_told() -> None:
    with pytest.raises(DataError, match="items-1 is gone"):
        fault_of({"status": 404, "error": {"reason": "no such index"}}, "red", "items-1")
    with pytest.raises(DependencyError, match="does not allow"):
        fault_of({"status": 403, "error": {"reason": "no"}}, "red", "items-1")
