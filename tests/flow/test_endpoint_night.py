"""A night whose queries are written by a completions server, also one that is gone in between."""

import datetime as dt
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.cli.main import run
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.generation import completions
from gpt4rec_es.night.inprocess import run_night
from tests.completions_server import serving
from tests.databases import Database
from tests.shop import Shop, stored_rows
from tests.title_writer import Writer

DAY = dt.date(2026, 11, 22)
KEY = "s3cret-key"


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Writer:
    monkeypatch.setattr(completions, "_WAITS", (0.0,))
    return Writer()


@pytest.fixture
def url(writer: Writer, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of the server; the shop has its key, and nights use it."""
    shop.environ["GPT4REC_ENDPOINT_API_KEY"] = KEY
    shop.enter(monkeypatch)
    with serving(writer.complete, api_key=KEY) as url:
        yield url


@contextmanager
def served_elsewhere(port: int) -> Iterator["subprocess.Popen[str]"]:
    """Yield a process of a server of the same queries, once it answers."""
    command = [sys.executable, "-m", "tests.title_writer", str(port), KEY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def night(shop: Shop, day: int = 0) -> str:
    runtime = shop.runtime()
    date = DAY + dt.timedelta(days=day)
    return run_night(runtime.night_parts(), runtime.night_options(), date).state


def test_an_outage_in_mid_night_changes_nothing(
    writer: Writer,
    url: str,
    shop: Shop,
    database: Database,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add = ("generators", "add", "served", "--endpoint", url, "--model", "shop-7b")
    assert call(capsys, *add, "--dry-run")["generator"] is None
    row = call(capsys, *add)["generator"]
    assert (row["kind"], KEY in json.dumps(row)) == ("endpoint", False)
    call(capsys, "generators", "use", "served")
    assert night(shop) == "published"
    needed = writer.requests
    with database.owner_engine.begin() as connection:
        first = stored_rows(connection, 1)
        # As if nothing had been generated before.
        connection.execute(text("TRUNCATE generated_queries, generations CASCADE"))
    writer.gone = range(needed + 20, needed + 32)
    assert night(shop, 1) == "published"
    assert writer.requests > needed + 32
    with database.engine.connect() as connection:
        assert stored_rows(connection, 2) == first
        counts = connection.execute(
            text("SELECT outcome, count(*) AS n FROM user_outcomes WHERE run_no = 2 GROUP BY 1")
        )
        assert {row.outcome: row.n for row in counts} == {"ok": 39, "no_history": 1}
    assert call(capsys, "generators", "show", "served")["queries"]


def test_a_server_killed_in_mid_night_is_waited_for(
    writer: Writer, url: str, shop: Shop, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    add = ("generators", "add", "served", "--endpoint", url, "--model", "shop-7b")
    call(capsys, *add)
    call(capsys, "generators", "use", "served")
    assert night(shop) == "published"
    asked = writer.requests
    with database.engine.connect() as connection:
        expected = stored_rows(connection, 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with served_elsewhere(port) as killed, ThreadPoolExecutor(1) as pool:
        other = ("--endpoint", f"http://127.0.0.1:{port}/v1", "--version", "2")
        call(capsys, *add[:2], "killed", *other, *add[5:])
        call(capsys, "generators", "use", "killed")
        running = pool.submit(night, shop, 1)
        for _ in range(asked // 2):
            assert killed.stdout is not None
            assert killed.stdout.readline() == "asked\n"
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        with pytest.raises(TimeoutError):
            running.result(timeout=2)
        with served_elsewhere(port):
            assert running.result(timeout=120) == "published"
    with database.engine.connect() as connection:
        assert stored_rows(connection, 2) == expected


def test_a_refused_prompt_fails_for_its_users_alone(
    writer: Writer, url: str, shop: Shop, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, "generators", "add", "served", "--endpoint", url, "--model", "shop-7b")
    call(capsys, "generators", "use", "served")
    writer.refused = "vintage red candle"
    runtime = shop.runtime(gate_limits="failed=1 full=0 fallbacks=1 top_item=1 top_first_query=1")
    assert run_night(runtime.night_parts(), runtime.night_options(), DAY).state == "published"
    with database.engine.connect() as connection:
        outcomes = connection.execute(
            text(
                "SELECT p.text LIKE '%vintage red candle%' AS is_refused, outcome, count(*) AS n "
                "FROM user_outcomes JOIN run_users AS u USING (run_no, user_no) "
                "JOIN prompts AS p USING (prompt_no) GROUP BY 1, 2 ORDER BY 1"
            )
        ).all()
    assert [(row.is_refused, row.outcome) for row in outcomes] == [(False, "ok"), (True, "failed")]


def test_an_exchanged_model_stops_the_next_night(
    writer: Writer, url: str, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    add = ("generators", "add", "served", "--endpoint", url, "--model", "shop-7b")
    call(capsys, *add)
    call(capsys, "generators", "use", "served")
    writer.model = "blue "
    with pytest.raises(ConflictError, match="serves another model"):
        night(shop)
    assert run([*add]) == 2
    assert "served" in capsys.readouterr().err
    call(capsys, *(one if one != "served" else "newer" for one in add))
    call(capsys, "generators", "use", "newer")
    assert night(shop) == "published"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Name one generator"),
        (("--endpoint", "http://127.0.0.1:9/v1"), "Give FOLDER, or --endpoint and --model"),
        (("--endpoint", "nowhere", "--model", "m"), "no address of a server"),
        (("--endpoint", "http://127.0.0.1:9/v1", "--model", "m"), "cannot be reached"),
    ],
)
def test_what_is_no_endpoint_is_not_registered(
    options: tuple[str, ...],
    said: str,
    url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert url
    assert run(["generators", "add", "served", *options]) != 0
    assert said in capsys.readouterr().err
    assert "served" not in [row["name"] for row in call(capsys, "generators", "list")]
