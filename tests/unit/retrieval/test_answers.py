from typing import Any

import orjson
import pytest

from gpt4rec_es.errors import DataError, DependencyError
from gpt4rec_es.retrieval.answers import fault_of, read_answers, read_hits

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


SHARDS = WHOLE["_shards"]
HITS = {"hits": {"hits": [{"sort": [2.5, "B", 7]}, {"sort": [1, "A", 3]}]}}
# Fields in the order of a server.
GOOD = {"timed_out": False, "_shards": SHARDS, **HITS, "status": 200}
NONE = {"timed_out": False, "_shards": SHARDS, "status": 200}
TWO_SHARDS = GOOD | {"_shards": {"total": 2, "successful": 2, "failed": 0}}
REFUSED = {"error": {"reason": "queue is full"}, "status": 429}
CUT_OFF = GOOD | {"timed_out": True}
PARTIAL = GOOD | {"_shards": {"total": 1, "successful": 0, "failed": 1}}
FOUND, NOTHING = ((7, 3), (2.5, 1)), ((), ())


def read(answers: list[Any], texts: int | None = None) -> tuple[Any, str]:
    """Read responses as bytes, and again from differently formatted JSON."""
    body = {"responses": answers}
    asked = ["red"] * (len(answers) if texts is None else texts)
    spaced = orjson.dumps(body, option=orjson.OPT_INDENT_2)
    ways = [read_answers(way, asked, "items-1") for way in (orjson.dumps(body), spaced, body)]
    assert ways[0] == ways[1] == ways[2]
    return ways[0]


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([GOOD], [FOUND]),
        ([GOOD, GOOD, GOOD], [FOUND] * 3),
        ([NONE, GOOD, NONE], [NOTHING, FOUND, NOTHING]),
        ([GOOD, TWO_SHARDS, GOOD], [FOUND] * 3),
    ],
)
def test_whole_answers_are_read_however_they_are_written(
    answers: list[Any], found: list[Any]
) -> None:
    assert read(answers) == (found, "")


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    ("fault", "said"),
    [(REFUSED, "full"), (CUT_OFF, "time limit"), (PARTIAL, "0 of 1 shards"), ({}, "None")],
)
def test_one_fault_among_whole_answers_is_seen_in_its_place(
    fault: dict[str, Any], said: str, place: int
) -> None:
    answers = [GOOD, NONE]
    answers.insert(place, fault)
    found, problem = read(answers)
    assert [hits is None for hits in found] == [at == place for at in range(3)]
    assert said in problem


@pytest.mark.parametrize("number", [0, 1, 3])
def test_none_counts_unless_there_are_as_many_as_texts(number: int) -> None:
    assert read([GOOD] * number, texts=2) == ([None, None], f"{number} answers to 2 searches")


@pytest.mark.parametrize(
    "item_id",
    [
        '"},{"timed_out":false',
        ']},{"sort":[1,"B",2',
        "\\",
        '\\"',
        '"]}]},"status":200',
        "é\n,\U0001f600",
    ],
)
def test_an_item_id_may_look_like_json(item_id: str) -> None:
    hits = [{"sort": [2.5, item_id, 7]}, {"sort": [1.0, item_id, 3]}]
    assert read([GOOD | {"hits": {"hits": hits}}, GOOD]) == ([FOUND, FOUND], "")


@pytest.mark.parametrize(
    "part",
    [
        None,
        1,
        [],
        {"status": 200, "timed_out": False, "_shards": None},
        WHOLE | {"hits": {"hits": [None]}},
        WHOLE | {"hits": {"hits": [{"sort": None}]}},
        WHOLE | {"hits": {"hits": [{}]}},
    ],
)
def test_a_broken_part_is_asked_again(part: Any) -> None:
    found, problem = read_answers({"responses": [part, WHOLE]}, ["red", "blue"], "items-1")
    assert found == [None, ((), ())]
    assert problem


@pytest.mark.parametrize("body", [{"responses": None}, {}, [], None])
def test_an_answer_without_parts_is_asked_again(body: Any) -> None:
    assert read_answers(body, ["red"], "items-1")[0] == [None]
