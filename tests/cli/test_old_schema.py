"""Errors of commands on a database that is not migrated, or for a role without rights."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.cli.main import run
from gpt4rec_es.db import migrate
from gpt4rec_es.db.engine import make_engine
from gpt4rec_es.db.revision import require_schema, revisions
from tests.databases import Cluster, Database
from tests.servers import Servers

# url -> command -> (exit code, the line it wrote)
Said = Callable[[str], dict[str, tuple[int, str]]]

COMMANDS = (
    ["import", "items", "FILE"],
    ["reindex", "--dry-run"],
    ["index", "builds"],
    ["index", "pin", "1"],
    ["index", "prune"],
    ["index", "rollback"],
    ["split", "list"],
    ["generators", "list"],
    ["evaluate", "list"],
    ["rules", "add", "brand", "Acme", "--reason", "x", "--dry-run"],
    ["rules", "list"],
    ["night"],
    ["night", "--dry-run"],
    ["runs", "list"],
    ["runs", "status"],
    ["runs", "show"],
    ["runs", "cancel", "x", "--reason", "x"],
    ["runs", "ensure", "--here"],
    ["runs", "prune", "--dry-run"],
    ["runs", "diff", "x", "y"],
    ["tune", "list"],
    ["replay", "x"],
    ["why", "u1"],
    ["export", "queries"],
    ["users", "forget", "u1", "--yes"],
    ["users", "pseudonyms"],
)


@pytest.fixture
def said(
    servers: Servers,
    alias: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Said:
    """A function that runs every command on a database and returns the errors by command."""
    (tmp_path / "items.csv").write_text("item_id,title\na,red lamp\n")
    monkeypatch.setenv("ELASTICSEARCH_URL", servers.elasticsearch_url)
    monkeypatch.setenv("GPT4REC_INDEX_ALIAS", alias)

    def run_all(url: str) -> dict[str, tuple[int, str]]:
        monkeypatch.setenv("DATABASE_URL", url)
        found = {}
        for command in COMMANDS:
            args = [str(tmp_path / "items.csv") if arg == "FILE" else arg for arg in command]
            code = run(["--env-file", "", *args])
            written = capsys.readouterr()
            assert written.out == ""
            (line,) = written.err.splitlines()
            found[" ".join(command)] = (code, line)
        return found

    return run_all


def test_every_command_asks_for_the_migration(empty_database: Database, said: Said) -> None:
    for command, (code, line) in said(empty_database.writer_url).items():
        assert code == 2, command
        assert f"is at revision none; this code needs {revisions()[-1]}." in line
        assert line.endswith("Run `gpt4rec db upgrade` as the owner.")


def test_every_command_refuses_a_schema_from_before_the_first_release(
    database: Database, said: Said
) -> None:
    _set_revision(database, "0010")
    for command, (code, line) in said(database.writer_url).items():
        assert code == 2, command
        assert "is at revision 0010, from before the first release" in line
        assert "make a new database, run `gpt4rec db upgrade` on it, and import again" in line


@pytest.mark.parametrize("command", ["upgrade", "upgrade --dry-run", "current", "check"])
def test_a_schema_from_before_the_first_release_stays_as_it_is(
    database: Database,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _set_revision(database, "0025")
    monkeypatch.setenv("DATABASE_URL", database.owner_url)
    monkeypatch.setenv("GPT4REC_OWNER_DATABASE_URL", database.owner_url)
    assert run(["--env-file", "", "db", *command.split()]) == 2
    written = capsys.readouterr()
    assert written.out == ""
    (line,) = written.err.splitlines()
    assert "is at revision 0025, from before the first release: it cannot be upgraded" in line
    assert "Dump what you want to keep" in line
    with database.owner_engine.connect() as connection:
        found = connection.execute(text("SELECT version_num FROM alembic_version"))
        assert found.scalars().all() == ["0025"]


def test_a_role_without_rights_is_told_which_role_it_takes(database: Database, said: Said) -> None:
    for command, (code, line) in said(database.analyst_url).items():
        assert code == 2, command
        assert line.startswith("Error: Postgres refuses this to the role that logged in: "), command
        assert "permission denied" in line
        assert "gpt4rec_writer" in line


def test_the_names_of_migrations_are_their_revisions(database: Database) -> None:
    assert migrate.current(database.owner_url).head == revisions()[-1]


def test_it_is_asked_again_until_it_was_migrated(
    cluster: Cluster, empty_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    engine = require_schema(make_engine(empty_database.writer_url, application_name="test"))
    for _ in range(2):
        with pytest.raises(Exception, match="at revision none"), engine.connect():
            pass
    _migrate(cluster, empty_database, "head")
    with engine.connect():
        pass
    assert not caplog.records
    engine.dispose()


def test_a_newer_schema_is_worked_on_and_said(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    head = revisions()[-1]
    _set_revision(database, "9999")
    engine = require_schema(make_engine(database.writer_url, application_name="test"))
    with caplog.at_level(logging.WARNING), engine.connect(), engine.connect():
        pass
    engine.dispose()
    _set_revision(database, head)
    (record,) = caplog.records
    assert "revision 9999, which this code does not know" in record.getMessage()


def _migrate(cluster: Cluster, database: Database, revision: str) -> None:
    """Migrate as an administrator, because only one may grant rights on the database."""
    url = cluster.admin.url.set(database=database.name).render_as_string(hide_password=False)
    migrate.upgrade(url, revision)


def _set_revision(database: Database, revision: str) -> None:
    with database.owner_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
