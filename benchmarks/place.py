"""A scratch database and alias on running servers; both are removed afterwards.

Never the database of a shop, because benchmarks truncate tables.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from elasticsearch import Elasticsearch
from sqlalchemy import Engine, make_url, text

from gpt4rec_es import stack
from gpt4rec_es.db import migrate
from gpt4rec_es.db.engine import make_engine
from gpt4rec_es.elastic.client import make_client
from gpt4rec_es.errors import UsageError


@dataclass(frozen=True)
class Place:
    """Servers, database and alias of a benchmark; ``url``: of the scratch database."""

    url: str
    elasticsearch_url: str
    engine: Engine
    elastic: Elasticsearch
    alias: str

    def run(self, statement: str, **values: object) -> None:
        """Run one statement in a separate transaction."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def number(self, statement: str, **values: object) -> int:
        """Return the single number that a statement returns."""
        with self.engine.connect() as connection:
            return int(connection.execute(text(statement), values).scalar_one())


def _servers() -> tuple[str, str]:
    """Return the URLs of an administrator's database and of Elasticsearch."""
    admin = os.environ.get("GPT4REC_TEST_DATABASE_ADMIN_URL")
    elastic = os.environ.get("GPT4REC_TEST_ELASTICSEARCH_URL")
    if admin and elastic:
        return admin, elastic
    urls = stack.read_urls(stack.default_folder(stack.checkout(Path.cwd())))
    if urls is None:
        raise UsageError("There are no servers to measure on.", "Start them by `make up`.")
    return urls.admin_database_url, urls.elasticsearch_url


def connect(url: str, elasticsearch_url: str, alias: str) -> Place:
    """Return an existing place, for a separate process."""
    engine = make_engine(url, application_name="gpt4rec bench", statement_timeout_s=0)
    return Place(url, elasticsearch_url, engine, make_client(elasticsearch_url), alias)


@contextmanager
def scratch() -> Iterator[Place]:
    """Yield a migrated empty database and an alias; remove both at the end, also after an error.

    Raises:
        UsageError: neither the test suite's variables are set nor a local stack is running.
    """
    admin_url, elasticsearch_url = _servers()
    name = f"gpt4rec_bench_{secrets.token_hex(4)}"
    admin = make_engine(admin_url, application_name="gpt4rec bench", isolation="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    url = make_url(str(admin.url.render_as_string(hide_password=False))).set(database=name)
    place = connect(
        url.render_as_string(hide_password=False), elasticsearch_url, name.replace("_", "-")
    )
    try:
        migrate.upgrade(place.url)
        yield place
    finally:
        place.engine.dispose()
        found = place.elastic.indices.get(index=f"{place.alias}-*", ignore_unavailable=True)
        for index in list(found.body):
            place.elastic.indices.delete(index=index)
        place.elastic.close()
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        admin.dispose()
