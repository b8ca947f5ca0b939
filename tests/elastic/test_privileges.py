"""The role descriptors of deploy/elasticsearch suffice, on a node with security."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elastic_transport import TransportError
from elasticsearch import ApiError

from gpt4rec_es import stack
from gpt4rec_es.cli.main import run
from gpt4rec_es.elastic.client import make_client
from gpt4rec_es.errors import DependencyError, UsageError
from gpt4rec_es.protocols import no_progress
from gpt4rec_es.stack.account import server_account
from gpt4rec_es.stack.elasticsearch import Elasticsearch
from gpt4rec_es.stack.options import ignore_announcement
from gpt4rec_es.stack.place import open_place
from gpt4rec_es.stack.ports import choose
from gpt4rec_es.stack.state import State
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import Shop, make_shop

ROLES = Path(__file__).parents[2] / "deploy" / "elasticsearch"
ADMIN = ("admin", "test-password")
# bcrypt of that password, which is of this test alone.
_HASH = "$2a$04$4JM1tseSW/mGXnX9X6FsaOSk2DLcSDafovuo8VvwnGQmerxQEJnRu"


def client(url: str) -> Any:
    return make_client(url, user=ADMIN[0], password=ADMIN[1], read_timeout_s=30)


class SecureNode(Elasticsearch):
    """A node of the stack's distribution, with security and one user of the file realm."""

    def settings(self, state: State) -> dict[str, Any]:
        config = self._config
        self._place.write(config / "users", f"{ADMIN[0]}:{_HASH}\n")
        self._place.write(config / "users_roles", f"superuser:{ADMIN[0]}\n")
        return super().settings(state) | {"xpack.security.enabled": True}

    def answers(self, state: State) -> bool:
        url = f"http://127.0.0.1:{state.ports['elasticsearch']}"
        try:
            client(url).cluster.health()
        except (ApiError, TransportError):
            return False
        return True


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    """Return the URL of a node with the users writer and reader, of the described roles."""
    folder = Path(tempfile.mkdtemp(prefix="gpt4rec-secure-"))
    folder.chmod(0o755)
    account = server_account(folder=folder)
    place = open_place(folder, account, 0)
    options = stack.default_options(os.environ)
    ports: dict[str, int] = {}
    for name in Elasticsearch.port_names:
        ports[name] = choose(name, 0, None, set(ports.values()))
    state = State(ports=ports, heap_mb=512)
    server = SecureNode(place, options, no_progress, ignore_announcement)
    server.prepare()
    try:
        server.launch(state)
        server.wait(state)
        url = f"http://127.0.0.1:{ports['elasticsearch']}"
        security = client(url).security
        for name in ("writer", "reader"):
            security.put_role(name=name, **json.loads((ROLES / f"{name}.json").read_text()))
            security.put_user(username=name, password="test-password", roles=[name])
        yield url
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def shop(servers: Servers, database: Database, node: str) -> Shop:
    """A shop of the alias that the descriptors name, for the writer."""
    use_titles(database)
    shop = make_shop(servers, database, "items")
    shop.environ["ELASTICSEARCH_URL"] = node
    shop.environ["ELASTICSEARCH_USER"] = "writer"
    shop.environ["ELASTICSEARCH_PASSWORD"] = "test-password"
    return shop


def test_the_described_roles_suffice(
    shop: Shop,
    node: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop.enter(monkeypatch)

    def command(*args: str) -> int:
        return run(["--env-file", "", *args])

    day = "2026-11-22"
    for args in (
        ("reindex",),
        ("night", "--date", day),
        ("index", "bm25", "set", "--k1", "0.9", "--b", "0.5", "--reason", "test"),
        ("index", "bm25", "undo", "--reason", "test"),
        ("reindex", "--reason", "again"),
        ("index", "rollback", "--reason", "test"),
        ("index", "prune", "--keep", "0"),
        ("search", "red clock"),
    ):
        assert command(*args) == 0, capsys.readouterr().err
    capsys.readouterr()
    command("doctor", "--json")
    found = json.loads(capsys.readouterr().out)
    rights = [one["level"] for one in found if one["check"] == "elasticsearch rights"]
    assert rights == ["ok"]

    monkeypatch.setenv("ELASTICSEARCH_USER", "reader")
    assert command("search", "red clock") == 0, capsys.readouterr().err
    assert command("index", "builds") == 0
    assert command("reindex") in {UsageError.exit_code, DependencyError.exit_code}
