"""Imports killed at every stage: nothing is changed, the next one marks it failed and succeeds.

Reading is held open by a file that takes many seconds, the other stages by a row that another
session has locked, so each kill happens in the intended stage.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.catalog.import_interactions import import_interactions
from gpt4rec_es.catalog.import_items import import_items
from tests.databases import Database

ROWS = 50_000
CATALOG = "item_id,title\n" + "".join(f"i{n},Mug {n}\n" for n in range(50))
EVENTS = "user_id,item_id,timestamp\n" + "".join(
    f"u{n % 997},i{n % 50},{1_323_435_000 + n}\n" for n in range(ROWS)
)
# The events as often as it takes to be read for many seconds after the first batch is staged.
TIMES = 40


@pytest.fixture
def long_file(tmp_path: Path) -> Path:
    path = tmp_path / "long.csv"
    header, _, rows = EVENTS.partition("\n")
    path.write_text(f"{header}\n{rows * TIMES}")
    return path


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Database:
    path = tmp_path / "items.csv"
    path.write_text(CATALOG)
    import_items(database.engine, [path], actor="tester")
    return database


def query(database: Database, sql: str) -> list[tuple[Any, ...]]:
    with database.engine.begin() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def wait_until(check: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "the condition was not met in time"
        time.sleep(0.05)


@contextmanager
def importing(database: Database, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the command in a new process, which is stopped at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gpt4rec_es", "import", "interactions", str(path)],
        env={**os.environ, "DATABASE_URL": database.writer_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests in the background ignore SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def staged_rows(database: Database) -> int:
    """Return the size of the staging tables of all sessions."""
    found = query(
        database,
        "SELECT coalesce(sum(pg_relation_size(oid)), 0) FROM pg_class "
        "WHERE relname = 'staged_interactions'",
    )
    return int(found[0][0])


def sessions(database: Database) -> list[str | None]:
    """Return what each session of the command waits for."""
    found = query(
        database,
        "SELECT wait_event_type FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'gpt4rec'",
    )
    return [row[0] for row in found]


def assert_untouched(database: Database) -> None:
    assert query(database, "SELECT count(*) FROM interactions") == [(0,)]
    assert query(database, "SELECT count(*) FROM users") == [(0,)]
    assert query(database, "SELECT catalog_version, history_version FROM catalog_state") == [(1, 0)]


def assert_next_import_does_all(database: Database, folder: Path) -> None:
    wait_until(lambda: not sessions(database))  # a server notices ended clients after a moment
    path = folder / "again.csv"
    path.write_text(EVENTS)
    report = import_interactions(database.engine, [path], actor="tester")
    assert (report.inserted, report.users_created, report.version) == (ROWS, 997, 1)
    found = query(
        database, "SELECT state, error FROM imports WHERE kind = 'interactions' ORDER BY 1"
    )
    assert [state for state, _ in found] == ["done", "failed"]
    assert all("process ended" in error for state, error in found if state == "failed")


def test_killed_while_it_reads(shop: Database, long_file: Path, tmp_path: Path) -> None:
    with importing(shop, long_file) as process:
        wait_until(lambda: staged_rows(shop) > 0)
        assert query(shop, "SELECT state FROM imports ORDER BY import_no") == [
            ("done",),
            ("running",),
        ]
        # While it runs, another import does not change its row.
        (tmp_path / "items.csv").write_text(CATALOG)
        import_items(shop.engine, [tmp_path / "items.csv"], actor="tester")
        assert query(shop, "SELECT count(*) FROM imports WHERE state = 'running'") == [(1,)]
        process.kill()
        process.wait(30)
    assert_untouched(shop)
    assert_next_import_does_all(shop, tmp_path)
    # Its temporary tables are dropped with its session, a moment after the process is gone.
    wait_until(lambda: not staged_rows(shop))


@pytest.mark.parametrize(
    ("held", "gives_up"),
    [
        # before it applies rows; the server detects that the client is gone
        ("SELECT * FROM catalog_state FOR UPDATE", True),
        # while it inserts users or events; the server finishes the statement first
        ("INSERT INTO users (user_id) VALUES ('u500')", False),
        ("SELECT * FROM items WHERE item_id = 'i25' FOR UPDATE", False),
    ],
)
def test_killed_while_it_applies(shop: Database, tmp_path: Path, held: str, gives_up: bool) -> None:
    path = tmp_path / "events.csv"
    path.write_text(EVENTS)
    with shop.engine.connect() as blocker:
        transaction = blocker.begin()
        blocker.execute(text(held))
        with importing(shop, path) as process:
            wait_until(lambda: "Lock" in sessions(shop))
            process.kill()
            process.wait(30)
        if gives_up:
            wait_until(lambda: not sessions(shop))  # although its lock wait goes on
        transaction.rollback()
    assert_untouched(shop)
    assert_next_import_does_all(shop, tmp_path)


def test_interrupted_from_the_keyboard(shop: Database, long_file: Path) -> None:
    with importing(shop, long_file) as process:
        wait_until(lambda: staged_rows(shop) > 0)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert_untouched(shop)
    found = query(shop, "SELECT state, error, finished_at IS NULL FROM imports ORDER BY import_no")
    assert found[1] == ("failed", "interrupted", False)


def test_its_session_is_ended_by_the_server(shop: Database, long_file: Path) -> None:
    with importing(shop, long_file) as process:
        wait_until(lambda: staged_rows(shop) > 0)
        end_sessions(shop)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1].startswith("Error: Postgres at ")
    assert_untouched(shop)
    found = query(shop, "SELECT state, error FROM imports ORDER BY import_no")[1]
    assert found[0] == "failed"
    assert found[1]


def end_sessions(database: Database) -> None:
    # A role may terminate its own sessions, and the import uses this role.
    query(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'gpt4rec'",
    )
