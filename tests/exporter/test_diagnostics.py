"""Scrapes while Postgres is slow, silent or unreachable: always a page within the time limit."""

import socket
import threading
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection, text

from gpt4rec_es.db.engine import make_engine
from gpt4rec_es.errors import UsageError
from gpt4rec_es.exporter.collector import PostgresCollector, page, serving
from tests.databases import Database
from tests.exporter.conftest import Page
from tests.processes import wait_for


def quick(connection: Connection) -> list[Metric]:
    return [GaugeMetricFamily("quick", "One.", connection.execute(text("SELECT 1")).scalar_one())]


def slow(connection: Connection) -> list[Metric]:
    connection.execute(text("SELECT pg_sleep(60)"))
    return []


def wrong(connection: Connection) -> list[Metric]:
    connection.execute(text("SELECT no_such_column"))
    return []


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that accepts connections and never answers, as a stopped Postgres does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        for one in kept:
            one.close()


def test_slow_and_failing_parts_do_not_hide_others(database: Database) -> None:
    engine = make_engine(database.writer_url, application_name="t", statement_timeout_s=0.2)
    shown = Page(page(PostgresCollector(engine, {"slow": slow, "wrong": wrong, "quick": quick})))
    engine.dispose()
    assert shown("quick") == 1
    assert shown("gpt4rec_up") == 0
    assert shown.by("gpt4rec_exporter_part_up", "part") == {"quick": 1}
    assert shown("gpt4rec_exporter_part_duration_seconds", part="slow") >= 0.2


def test_parts_that_exceed_the_time_limit_are_left_out(database: Database) -> None:
    engine = make_engine(database.writer_url, application_name="t", statement_timeout_s=1)
    collector = PostgresCollector(engine, {"quick": quick, "slow": slow, "late": quick}, 0.3)
    shown = Page(page(collector))
    assert shown.by("gpt4rec_exporter_part_up", "part") == {"quick": 1}
    # While that reading runs, no second one is started.
    assert Page(page(collector)).by("gpt4rec_exporter_part_up", "part") == {}
    wait_for(lambda: Page(page(collector))("gpt4rec_exporter_part_up", part="quick") == 1, 10)
    engine.dispose()


def test_a_silent_server_does_not_hold_up_the_scrape(silent_port: int) -> None:
    url = f"postgresql://u:p@127.0.0.1:{silent_port}/d"
    engine = make_engine(url, application_name="t", connect_timeout_s=3600)
    shown = Page(page(PostgresCollector(engine, {"quick": quick}, 0.3)))
    assert shown("gpt4rec_up") == 0


def test_it_is_served_and_recovers_after_a_failure(database: Database) -> None:
    engine = make_engine(database.writer_url, application_name="t")
    with serving(PostgresCollector(engine, {"quick": quick}), "127.0.0.1", 0) as (port, _):

        def get() -> Page:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                assert answer.headers["Content-Type"].startswith("text/plain")
                return Page(answer.read().decode())

        assert get()("gpt4rec_up") == 1
        with database.engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 't' AND datname = current_database()"
                )
            )
        wait_for(lambda: get()("gpt4rec_up") == 1, 10)
        with (
            pytest.raises(UsageError, match="Cannot listen"),
            serving(PostgresCollector(engine, {}), "127.0.0.1", port),
        ):
            pass
    engine.dispose()
