from typing import Any

import pytest
from elastic_transport import (
    ApiResponseMeta,
    ConnectionTimeout,
    HttpHeaders,
    NodeConfig,
    SerializationError,
    TlsError,
)
from elastic_transport import ConnectionError as UnreachableError
from elasticsearch import ApiError, Elasticsearch

from gpt4rec_es.elastic.client import make_client
from gpt4rec_es.elastic.errors import is_transient, plain_error
from gpt4rec_es.elastic.reasons import is_disk_full, reason_of
from gpt4rec_es.errors import ConflictError, DataError, DependencyError, UsageError

FLOOD = {
    "type": "cluster_block_exception",
    "reason": "index [items-1] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage "
    "watermark, index has read-only-allow-delete block];",
}
WRITE_BLOCK = {
    "type": "cluster_block_exception",
    "reason": "index [items-1] blocked by: [FORBIDDEN/8/index write (api)];",
}


@pytest.fixture
def client() -> Elasticsearch:
    return make_client("http://me:secret@search")


def answer(status: int, error: Any = "no") -> ApiError:
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.1, NodeConfig("http", "search", 9200))
    return ApiError("message", meta, {"error": error, "status": status})


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (answer(401), DependencyError, "refuses the credentials"),
        (answer(403, {"reason": "no privilege"}), DependencyError, "does not allow this: no priv"),
        (answer(404, {"reason": "no such index [x]"}), UsageError, "no such index"),
        (answer(400, {"reason": "bad"}), UsageError, "refused the request: bad"),
        (answer(400, {"type": "resource_already_exists_exception"}), ConflictError, "exists"),
        (answer(409), ConflictError, "try again"),
        (answer(413), DataError, "too large"),
        (answer(429, FLOOD), DependencyError, "disk is almost full"),
        (answer(403, FLOOD), DependencyError, "disk is almost full"),
        (answer(429), DependencyError, "cannot work now"),
        (answer(503), DependencyError, "cannot work now"),
        (answer(500), DependencyError, "cannot work now"),
        (ConnectionTimeout("t"), DependencyError, "did not answer in time"),
        (UnreachableError("[Errno 111] Connection refused"), DependencyError, "refused."),
        (TlsError("[SSL: BAD] wrong version (_ssl.c:1)"), DependencyError, "(wrong version)"),
        (SerializationError("x"), DependencyError, "not JSON"),
    ],
)
def test_each_error_has_its_kind_and_one_line(
    client: Elasticsearch, error: Exception, kind: type[Exception], said: str
) -> None:
    plain = plain_error(error, client)
    assert type(plain) is kind
    assert said in str(plain)
    assert "\n" not in str(plain)
    assert "secret" not in str(plain)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_overload_is_transient(status: int) -> None:
    assert is_transient(answer(status))


@pytest.mark.parametrize(
    "error",
    [answer(400), answer(401), answer(413), answer(429, FLOOD), TlsError("bad")],
)
def test_what_waiting_does_not_cure_is_not_transient(error: Exception) -> None:
    assert not is_transient(error)


def test_no_connection_and_no_answer_are_transient() -> None:
    assert is_transient(UnreachableError("x"))
    assert is_transient(ConnectionTimeout("x"))
    assert is_transient(SerializationError("cut off", {}))


def test_only_the_flood_block_is_a_full_disk() -> None:
    assert is_disk_full(FLOOD)
    assert is_disk_full({"error": FLOOD})
    assert not is_disk_full(WRITE_BLOCK)
    assert not is_disk_full({"type": "x", "reason": "flood-stage"})


def test_the_reason_is_the_root_and_the_deepest_cause() -> None:
    body = {
        "error": {
            "reason": "all shards failed",
            "root_cause": [{"type": "query_shard_exception", "reason": "failed to\ncreate query"}],
            "caused_by": {"reason": "x", "caused_by": {"reason": "too many clauses"}},
        }
    }
    assert reason_of(body) == "failed to create query; too many clauses"
    assert reason_of("plain text") == "plain text"
    assert reason_of({"error": {"type": "only_a_type"}}) == "only_a_type"
