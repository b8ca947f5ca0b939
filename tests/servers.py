"""The real servers that tests run on: started once per run, never skipped."""

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Servers:
    """Where the servers listen. ``admin_url`` may create databases and roles."""

    admin_url: str
    elasticsearch_url: str
    broker_url: str


@pytest.fixture(scope="session")
def servers() -> Servers:
    """Return the servers' addresses."""
    return Servers(
        "postgresql+psycopg2://postgres@127.0.0.1:15432/postgres",
        "http://127.0.0.1:19200",
        "redis://127.0.0.1:16379/0",
    )
