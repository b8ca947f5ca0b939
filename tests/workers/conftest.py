"""Fixtures of shops on the test servers, two with equal content to compare runs."""

import pytest
from elasticsearch import Elasticsearch

from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import Shop, make_shop


@pytest.fixture
def shops(
    servers: Servers,
    database: Database,
    second_database: Database,
    alias: str,
    elastic: Elasticsearch,
) -> tuple[Shop, Shop]:
    """Two shops with equal content, each with its own database and alias."""
    for one in (database, second_database):
        use_titles(one)
    return (
        make_shop(servers, database, f"{alias}-a"),
        make_shop(servers, second_database, f"{alias}-b"),
    )
