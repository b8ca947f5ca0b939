"""Read the responses of an msearch and check that each is complete.

Most responses have exactly the expected text around their sort values; then only these values are
parsed, in a third of the time. All others are parsed and checked in full.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from gpt4rec_es.elastic.client import MSEARCH_START
from gpt4rec_es.elastic.reasons import reason_of
from gpt4rec_es.errors import DataError, DependencyError

# Item numbers and scores, best first.
Hits = tuple[tuple[int, ...], tuple[float, ...]]

# None of these occurs inside a JSON string, where quotes are escaped.
_PART = b'{"timed_out"'
_FIRST, _BETWEEN, _LAST = MSEARCH_START + _PART, b"}," + _PART, b"}]}"
_NEXT_HIT = b']},{"sort":['
_WHOLE = b':false,"_shards":{"total":1,"successful":1,"failed":0},"hits":{"hits":[{"sort":['
_WHOLE_END = b']}]},"status":200'
_INNER = slice(len(_WHOLE), -len(_WHOLE_END))


def read_answers(body: Any, texts: Sequence[str], index: str) -> tuple[list[Hits | None], str]:
    """Return the hits per text, None for a search to repeat, and the reason for repeating.

    body: the whole response, as bytes or parsed. Responses are matched to texts by position, so all
    are invalid unless their number equals the number of texts.

    Raises:
        JSONDecodeError: the body is not JSON.
        DataError, DependencyError: as in ``fault_of``.
    """
    parts: Sequence[Any] = _split(body) if isinstance(body, bytes) else ()
    if len(parts) != len(texts):
        answer = orjson.loads(body) if isinstance(body, bytes) else body
        parts = (answer.get("responses") if isinstance(answer, dict) else None) or ()
    if len(parts) != len(texts):
        return [None] * len(texts), f"{len(parts)} answers to {len(texts)} searches"
    found: list[Hits | None] = []
    problem = ""
    for part, text in zip(parts, texts, strict=True):
        is_cut = isinstance(part, bytes)
        if is_cut and part.startswith(_WHOLE) and part.endswith(_WHOLE_END):
            found.append(_hits(orjson.loads(b"[%b]" % part[_INNER])))
            continue
        answer = orjson.loads(b"%b%b}" % (_PART, part)) if is_cut else part
        fault, hits = fault_of(answer, text, index), None
        if fault is None:
            try:
                hits = read_hits(answer)
            except (AttributeError, KeyError, TypeError):
                fault = "hits without their sort values"
        found.append(hits)
        problem = fault or problem
    return found, problem


def _split(body: bytes) -> list[bytes]:
    """Return each search's text without ``_PART`` and its brace; empty if their format differs.

    Hits are flattened to one list per search instead of two containers per hit. A response with
    another start (an error) stays attached to the one before it.
    """
    if not (body.startswith(_FIRST) and body.endswith(_LAST)):
        return []
    return body[len(_FIRST) : -len(_LAST)].replace(_NEXT_HIT, b",").split(_BETWEEN)


def fault_of(answer: Any, text: str, index: str) -> str | None:
    """Return why ``answer`` is unusable now, or None if it is complete.

    Raises:
        DataError: permanent: the search for ``text`` was refused, or the index is deleted.
        DependencyError: the credentials may not search the index.
    """
    if not isinstance(answer, dict):
        return "an answer that is no object"
    status = answer.get("status")
    if status != 200 or "error" in answer:
        return _refusal(status, answer.get("error"), text, index)
    if answer.get("timed_out") is not False:
        return "a search was cut off by a time limit"
    shards = answer.get("_shards") or {}
    # filter_path omits empty hits, so the other fields must show that there are none.
    if (
        shards.get("failed") != 0
        or not shards.get("total")
        or (shards.get("successful") != shards["total"])
    ):
        return f"a search reached {shards.get('successful', 0)} of {shards.get('total', 1)} shards"
    return None


def read_hits(answer: dict[str, Any]) -> Hits:
    """Return the hits of a complete response."""
    hits = (answer.get("hits") or {}).get("hits") or ()
    return _hits([value for hit in hits for value in hit["sort"]])


def _hits(values: list[Any]) -> Hits:
    """Return hits of their sort values: score, id, number, score, id, number and so on."""
    return tuple(values[2::3]), tuple(values[0::3])


def _refusal(status: Any, error: Any, text: str, index: str) -> str:
    reason = reason_of(error)
    if status == 404:
        raise DataError(
            f"The index {index} is gone: {reason}.", "`gpt4rec reindex` makes a new one."
        )
    if status in {401, 403}:
        raise DependencyError(f"Elasticsearch does not allow searches of {index}: {reason}.")
    if isinstance(status, int) and 400 <= status < 500 and status != 429:
        raise DataError(f"Elasticsearch refuses the search for {text!r}: {reason}.")
    return f"{status}: {reason}"
