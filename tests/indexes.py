"""Elasticsearch for tests: the client, and an alias of the test's own whose indices are deleted."""

import secrets
from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.client import make_client
from tests.servers import Servers


@pytest.fixture(scope="session")
def elastic(servers: Servers) -> Iterator[Elasticsearch]:
    """A client of the real server."""
    client = make_client(servers.elasticsearch_url, connections=16)
    yield client
    client.close()


@pytest.fixture
def alias(elastic: Elasticsearch) -> Iterator[str]:
    """An alias that only this test uses; indices named after it go afterwards."""
    name = f"test-{secrets.token_hex(5)}"
    yield name
    # Narrow: the random part makes the pattern this test's own.
    found = elastic.indices.get(index=f"{name},{name}-*", ignore_unavailable=True).body
    for index in found:
        elastic.indices.delete(index=index)
