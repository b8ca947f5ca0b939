"""`night`, `runs` and `why` as a person calls them: what they print, and their exit codes."""

import datetime as dt
import json
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.cli.main import run
from gpt4rec_es.db.locks import hold_lock
from gpt4rec_es.runs.night import start_night
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import Shop, make_shop


@pytest.fixture
def shop(servers: Servers, database: Database, alias: str, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A small shop whose environment this process has."""
    use_titles(database)
    shop = make_shop(servers, database, alias)
    for name, value in shop.environ.items():
        monkeypatch.setenv(name, value)
    return shop


class Cli:
    """Runs commands in this process and keeps what they wrote."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *args: str, code: int = 0) -> str:
        self._capsys.readouterr()
        found = run(["--env-file", "/nonexistent", *args])
        out, self.err = self._capsys.readouterr()
        assert found == code, (out, self.err)
        return out

    def json(self, *args: str, code: int = 0) -> Any:
        return json.loads(self(*args, "--json", code=code))

    def error(self, *args: str, code: int) -> str:
        self(*args, code=code)
        assert "Traceback" not in self.err
        (line,) = (line for line in self.err.splitlines() if line.startswith("Error: "))
        return line


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


def test_a_night_and_what_one_can_ask_about_it(shop: Shop, cli: Cli) -> None:
    assert cli.json("night", "--dry-run", "--date", "2026-11-22")["users"] == 40
    assert "Nothing is published yet" in cli("runs", "status", code=3)
    report = cli.json("night", "--date", "2026-11-22")
    assert (report["state"], report["recommendations"]) == ("published", 240)
    again = cli("night", "--date", "2026-11-23")
    assert "0 tokens generated, 0 searches" in again
    listed = cli.json("runs", "list")
    assert [row["run_id"] for row in listed] == ["nightly-2026-11-23-1", "nightly-2026-11-22-1"]
    assert [row["is_published"] for row in listed] == [True, False]
    shown = cli.json("runs", "show", "nightly-2026-11-22-1")
    assert shown["outcomes"] == {"ok": 39, "no_history": 1}
    assert all(gate["passed"] for gate in shown["gates"])
    assert cli.json("runs", "status")["published_hours_ago"] < 1
    why = cli("why", "u014")
    assert "Queries the model wrote" in why
    assert "hit 2 of query 1" in why
    assert cli.json("why", "u014")["equals_merge_now"] is True
    assert cli.json("runs", "rollback", "--dry-run")["published"] == "nightly-2026-11-22-1"
    assert "nightly-2026-11-22-1 is published again" in cli("runs", "rollback", "--reason", "x")
    gates = cli.json("runs", "publish", "nightly-2026-11-23-1", "--dry-run")
    assert {gate["gate"] for gate in gates if not gate["passed"]} == set()
    assert "is published" in cli("runs", "publish", "nightly-2026-11-23-1")


def test_a_gate_that_says_no_is_exit_code_3(shop: Shop, cli: Cli) -> None:
    cli("night", "--date", "2026-11-22")
    line = cli.error("night", "--date", "2026-11-21", code=3)
    assert "is newer than published" in line
    assert "--force --reason" in line


def test_mistakes_are_one_line_with_the_way_out(
    shop: Shop, cli: Cli, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No run is published yet" in cli.error("why", "u014", code=2)
    assert "There is no run 'x'" in cli.error("runs", "show", "x", code=2)
    assert "--date" in cli.error("night", "--date", "yesterday", code=2)
    assert "--reason" in cli.error("runs", "cancel", "x", code=2)
    assert "No run is published" in cli.error("runs", "rollback", code=2)
    with hold_lock(database.engine, "night nightly"):
        assert "A night is running already" in cli.error("night", code=1)
    cli("night")
    assert "There is no user 'nobody'" in cli.error("why", "nobody", code=2)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE generators SET is_current = false"))
    assert "No query generator is in use" in cli.error("night", code=2)
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://127.0.0.1:9")
    use_titles(database)
    assert "127.0.0.1:9" in cli.error("night", code=4)
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:geheim@127.0.0.1:9/x")
    line = cli.error("runs", "list", code=4)
    assert "127.0.0.1:9" in line or "port 9" in line
    assert "geheim" not in line


def test_nobody_to_recommend_for(shop: Shop, cli: Cli, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM interactions"))
        connection.execute(text("DELETE FROM users"))
    assert "no user to recommend for" in cli.error("night", code=2)


def test_ensure_starts_the_night_that_is_due_once(shop: Shop, cli: Cli) -> None:
    due = cli.json("runs", "ensure", "--dry-run")["due"]
    first = cli.json("runs", "ensure", "--here")
    assert (first["run_id"], first["state"]) == (f"nightly-{due}-1", "published")
    assert cli.json("runs", "ensure", "--here")["run_id"] is None


def test_an_unfinished_night_is_gone_on_with_or_given_up(
    shop: Shop, cli: Cli, database: Database
) -> None:
    runtime = shop.runtime()
    started = start_night(runtime.night_parts(), runtime.night_options(), dt.date(2026, 11, 22))
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET code_version = 'older'"))
    assert "--supersede" in cli.error("night", "--date", "2026-11-22", code=1)
    report = cli.json("night", "--date", "2026-11-22", "--supersede")
    assert (report["run_id"], report["state"]) == ("nightly-2026-11-22-2", "published")
    assert cli.json("runs", "show", started.run.run_id)["state"] == "superseded"
