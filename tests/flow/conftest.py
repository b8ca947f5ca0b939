"""The small shop with the model-free generator: the night's logic without the cost of a model."""

import pytest

from gpt4rec_es.db import generators
from gpt4rec_es.generation.factory import open_generator
from tests.databases import Database
from tests.servers import Servers
from tests.shop import Shop, make_shop


@pytest.fixture
def shop(servers: Servers, database: Database, alias: str) -> Shop:
    """A filled shop whose nights use newest titles as queries."""
    use_titles(database)
    return make_shop(servers, database, alias)


def use_titles(database: Database) -> None:
    content_hash = open_generator("titles", None).content_hash
    with database.engine.begin() as connection:
        generators.register(
            connection, name="titles", kind="titles", path=None, content_hash=content_hash, card={}
        )
        generators.use(connection, "titles", actor="test")
