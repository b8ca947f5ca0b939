"""``gpt4rec db`` on real databases."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.cli.main import run
from tests.databases import Cluster, Database

ROOT = Path(__file__).parents[2]


def use(monkeypatch: pytest.MonkeyPatch, database: Database, owner_url: str | None = None) -> None:
    monkeypatch.setenv("DATABASE_URL", database.writer_url)
    monkeypatch.setenv("GPT4REC_OWNER_DATABASE_URL", owner_url or database.owner_url)


def test_from_an_empty_database_to_the_newest_version(
    cluster: Cluster,
    empty_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = cluster.admin.url.set(database=empty_database.name)
    use(monkeypatch, empty_database, url.render_as_string(hide_password=False))
    assert run(["db", "current"]) == 0
    assert "empty" in capsys.readouterr().out
    assert run(["db", "check"]) == 1
    assert "revision none" in capsys.readouterr().out

    assert run(["db", "upgrade", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "CREATE TABLE items" in printed
    assert "VIEW analytics.runs" in printed
    assert run(["db", "current", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["is_current"] is False

    assert run(["db", "upgrade"]) == 0
    assert "at revision" in capsys.readouterr().out
    assert run(["db", "upgrade"]) == 0
    assert run(["db", "check"]) == 0
    capsys.readouterr()
    assert run(["db", "current", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["is_current"] is True
    assert run(["db", "upgrade", "--dry-run"]) == 0
    assert capsys.readouterr().out.strip() == "-- nothing to do"


def test_upgrade_works_from_an_installed_wheel(
    cluster: Cluster, empty_database: Database, tmp_path: Path
) -> None:
    # As a wheel lays it out, far from any checkout.
    shutil.copytree(ROOT / "gpt4rec_es", tmp_path / "gpt4rec_es")
    shutil.copytree(ROOT / "migrations", tmp_path / "gpt4rec_es" / "migrations")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    url = cluster.admin.url.set(database=empty_database.name)
    done = subprocess.run(
        [sys.executable, "-m", "gpt4rec_es", "db", "upgrade"],
        cwd=elsewhere,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(tmp_path),
            "DATABASE_URL": url.render_as_string(hide_password=False),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "at revision" in done.stdout
    with empty_database.analyst_engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM analytics.runs")).scalar_one() == 0


def test_check_lists_differences(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, database)
    with database.owner_engine.begin() as connection:
        connection.execute(text("CREATE TABLE stray (a int)"))
    assert run(["db", "check", "--json"]) == 1
    (difference,) = json.loads(capsys.readouterr().out)
    assert "stray" in difference


def test_changed_views_are_said_printed_and_made(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use(monkeypatch, database)
    with database.owner_engine.begin() as connection:
        connection.execute(text("COMMENT ON SCHEMA analytics IS 'other'"))
    assert run(["db", "check", "--json"]) == 1
    (difference,) = json.loads(capsys.readouterr().out)
    assert "views" in difference
    assert run(["db", "current"]) == 0
    assert "other views; run `gpt4rec db upgrade`" in capsys.readouterr().out
    assert run(["db", "upgrade", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "CREATE VIEW analytics.runs" in printed
    assert "CREATE TABLE" not in printed
    assert run(["db", "upgrade"]) == 0
    assert run(["db", "check"]) == 0


def test_dictionary_is_written_and_checked(
    module_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    use(monkeypatch, module_database)
    path = tmp_path / "doc.md"
    path.write_text(
        "<!-- dictionary: begin (made by `gpt4rec db dictionary`; change the comments instead) -->"
        "<!-- dictionary: end -->"
    )
    assert run(["db", "dictionary", "--file", str(path), "--check"]) == 1
    assert "Run `gpt4rec db dictionary`" in capsys.readouterr().err
    assert run(["db", "dictionary", "--file", str(path)]) == 0
    assert run(["db", "dictionary", "--file", str(path), "--check"]) == 0
    assert "### users" in path.read_text()


def test_errors_are_one_line_and_an_exit_code(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://shop:topsecret@127.0.0.1:1/shop")
    monkeypatch.delenv("GPT4REC_OWNER_DATABASE_URL", raising=False)
    for command in (["db", "current"], ["db", "upgrade"], ["db", "check"]):
        assert run(command) == 4
        (line,) = capsys.readouterr().err.splitlines()
        assert "127.0.0.1:1" in line
        assert "topsecret" not in line
    use(monkeypatch, database, database.analyst_url)
    assert run(["db", "upgrade"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_text_is_refused(
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    encoding: str,
) -> None:
    name = f"{cluster.prefix}_{encoding.lower()}"
    with cluster.admin.connect() as connection:
        connection.execute(
            text(
                f"CREATE DATABASE \"{name}\" ENCODING '{encoding}' TEMPLATE template0 "
                "LC_COLLATE 'C' LC_CTYPE 'C'"
            )
        )
        try:
            url = cluster.admin.url.set(database=name).render_as_string(hide_password=False)
            monkeypatch.setenv("DATABASE_URL", url)
            monkeypatch.setenv("GPT4REC_OWNER_DATABASE_URL", url)
            assert run(["db", "upgrade"]) == 2
            assert f"has encoding {encoding}; UTF8 is needed" in capsys.readouterr().err
        finally:
            connection.execute(text(f'DROP DATABASE "{name}"'))
