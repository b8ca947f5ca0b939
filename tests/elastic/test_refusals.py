"""An overloaded cluster refuses requests: commands log this, wait, and continue."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from elasticsearch import ApiError, Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.elastic.alias import alias_targets
from gpt4rec_es.elastic.client import make_client
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.elastic.retries import Backoff, without_retries
from gpt4rec_es.errors import DependencyError
from gpt4rec_es.index.building import BuildOptions
from gpt4rec_es.index.reindex import ReindexOptions, reindex
from tests.databases import Database
from tests.elastic.catalogs import add_shirts
from tests.elastic.stub import Reply, Request, Script, stub
from tests.elastic.test_bulk_storms import FLOOD
from tests.indexes import index_names
from tests.servers import Servers

TOO_BUSY = Reply(
    {
        "error": {"type": "circuit_breaking_exception", "reason": "[parent] Data too large"},
        "status": 429,
    },
    429,
)


@pytest.fixture
def engine(database: Database) -> Engine:
    return database.engine


def refusing_proxy(url: str, is_refused: Callable[[Request], bool]) -> Script:
    """Return a proxy of the server at ``url`` that refuses some requests."""
    host = urlsplit(url).netloc

    def script(request: Request) -> Reply:
        if is_refused(request):
            return TOO_BUSY
        link = HTTPConnection(host, timeout=60)
        try:
            headers = {
                name: value
                for name, value in request.headers.items()
                if name in {"accept", "content-type"}
            }
            link.request(request.method, request.path, request.body, headers)
            answer = link.getresponse()
            return Reply(answer.read(), answer.status)
        finally:
            link.close()

    return script


@contextmanager
def client_of(script: Script, waits: list[float]) -> Iterator[Elasticsearch]:
    with stub(script) as url:
        client = make_client(url, backoff=Backoff(attempts=4, sleep=waits.append))
        yield client
        client.close()


def test_a_reindex_goes_on_when_each_of_its_requests_is_refused_at_first(
    engine: Engine, elastic: Elasticsearch, alias: str, servers: Servers
) -> None:
    add_shirts(engine)
    asked: Counter[tuple[str, str]] = Counter()

    def at_first(request: Request) -> bool:
        asked[request.method, request.path] += 1
        return asked[request.method, request.path] <= 2

    waits: list[float] = []
    bulk_waits: list[float] = []
    options = ReindexOptions(
        alias=alias, build=BuildOptions(backoff=Backoff(sleep=bulk_waits.append))
    )
    with client_of(refusing_proxy(servers.elasticsearch_url, at_first), waits) as client:
        report = reindex(engine, client, options, actor="me")
    assert alias_targets(elastic, alias) == [report.build.index_name]
    assert elastic.count(index=alias)["count"] == report.documents
    # Bulk requests have a separate loop, which reduces the documents per request.
    assert len(bulk_waits) == 2
    assert len(waits) == 2 * (len(asked) - 1)
    assert len(asked) > 10


def test_a_refusal_that_lasts_ends_the_reindex_and_leaves_nothing(
    engine: Engine, elastic: Elasticsearch, alias: str, servers: Servers
) -> None:
    add_shirts(engine)
    waits: list[float] = []
    script = refusing_proxy(servers.elasticsearch_url, lambda r: "_forcemerge" in r.path)
    with (
        client_of(script, waits) as client,
        pytest.raises(DependencyError, match=r"cannot work now \(429: \[parent\] Data too large"),
    ):
        reindex(engine, client, ReindexOptions(alias=alias), actor="me")
    assert len(waits) == 3
    assert not index_names(elastic, alias)


def test_a_full_disk_is_not_waited_for() -> None:
    waits: list[float] = []
    with (
        client_of(lambda _: Reply({"error": FLOOD, "status": 429}, 429), waits) as client,
        pytest.raises(ApiError),
    ):
        client.count(index="x")
    assert not waits


def test_without_retries_a_refusal_is_raised_at_once() -> None:
    waits: list[float] = []
    with client_of(lambda _: TOO_BUSY, waits) as client, pytest.raises(ApiError):
        without_retries(client).count(index="x")
    assert not waits


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (
            {"version": {"distribution": "opensearch", "number": "2.19.1"}},
            r"is OpenSearch 2\.19\.1, which is not supported\. Use Elasticsearch 8\.19",
        ),
        ({"version": {"number": "7.10.2"}}, "is not Elasticsearch"),
        ({"version": "1"}, "is not Elasticsearch"),
        ([], "is not Elasticsearch"),
    ],
)
@pytest.mark.parametrize("status", [200, 406])
def test_another_product_is_named(page: Any, said: str, status: int) -> None:
    """Answers without the product's header; with a body, a request may be refused by 406."""

    def script(request: Request) -> Reply:
        is_page = request.path == "/"
        return Reply(page if is_page else {}, 200 if is_page else status, is_elasticsearch=False)

    with stub(script) as url:
        client = make_client(url)
        with pytest.raises(DependencyError, match=said) as caught, plain_errors(client):
            client.search(index="items", query={"match_all": {}})
    assert "\n" not in str(caught.value)
