"""The small shop with the model-free generator: the night's logic without the cost of a model."""

from pathlib import Path

import pytest

from gpt4rec_es.db.rows import generators
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
    """Make the title generator the generator of nights."""
    use_generator(database, "titles", None)


def use_generator(database: Database, kind: str, folder: Path | None) -> None:
    """Register a generator and make it the generator of nights."""
    path = None if folder is None else str(folder)
    content_hash = open_generator(kind, path).content_hash
    with database.engine.begin() as connection:
        generators.register(
            connection, name=kind, kind=kind, path=path, content_hash=content_hash, card={}
        )
        generators.use(connection, kind, actor="test")
