"""Elasticsearch for tests: the client, and an alias per test whose indices are deleted."""

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
    """An alias for one test; its indices are deleted afterwards."""
    name = f"test-{secrets.token_hex(5)}"
    yield name
    delete_indices(elastic, name)


@pytest.fixture(scope="module")
def module_alias(elastic: Elasticsearch) -> Iterator[str]:
    """An alias shared by all tests of a module."""
    name = f"test-{secrets.token_hex(5)}"
    yield name
    delete_indices(elastic, name)


def index_names(client: Elasticsearch, alias: str) -> list[str]:
    """Return the names of the indices that are named after ``alias``."""
    return sorted(client.indices.get(index=f"{alias},{alias}-*", ignore_unavailable=True).body)


def delete_indices(client: Elasticsearch, alias: str) -> None:
    """Delete the indices of ``alias`` by name; its random part makes their names unique."""
    for index in index_names(client, alias):
        client.indices.delete(index=index)
