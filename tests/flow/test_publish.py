"""Rows visible to readers while runs are published, withdrawn and forced."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, text

from gpt4rec_es.db.locks import hold_lock
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import ConflictError, GateError, UsageError
from gpt4rec_es.night import drain as draining
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.publish import gates, publish, withdraw
from gpt4rec_es.night.publish.gates import Examination
from gpt4rec_es.night.start import cancel
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.shop import Shop

DAY = dt.date(2026, 11, 22)
SHOWN = text("SELECT DISTINCT run_id FROM analytics.latest_recommendations")


@pytest.fixture
def runtime(shop: Shop) -> Runtime:
    """Two nights were published."""
    runtime = shop.runtime()
    for days in range(2):
        run_night(runtime.night_parts(), runtime.night_options(), DAY + dt.timedelta(days=days))
    return runtime


def shown(database: Database) -> list[str]:
    with database.analyst_engine.connect() as connection:
        return list(connection.execute(SHOWN).scalars())


def set_second_run_to_checking(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE runs SET state = 'checking', finished_at = NULL WHERE run_no = 2")
        )
        connection.execute(text("UPDATE publications SET run_no = 1, previous_run_no = NULL"))


def test_rollback_and_back(runtime: Runtime, database: Database) -> None:
    parts = runtime.night_parts()
    assert shown(database) == ["nightly-2026-11-23-1"]
    assert withdraw.rollback(parts, reason="x", dry_run=True).run_id == "nightly-2026-11-22-1"
    assert shown(database) == ["nightly-2026-11-23-1"]
    withdraw.rollback(parts, reason="wrong prices")
    assert shown(database) == ["nightly-2026-11-22-1"]
    with pytest.raises(UsageError, match="No earlier"):
        withdraw.rollback(parts, reason="x")
    publish.publish(parts, "nightly-2026-11-23-1", force=False, reason=None)
    assert shown(database) == ["nightly-2026-11-23-1"]
    with database.engine.connect() as connection:
        acts = connection.execute(
            text(
                "SELECT action, reason FROM audit WHERE action IN ('rollback', 'publish') "
                "ORDER BY audit_no"
            )
        )
        assert [tuple(row) for row in acts][-2:] == [
            ("rollback", "wrong prices"),
            ("publish", None),
        ]


def test_an_older_run_is_published_only_by_force_with_a_reason(
    runtime: Runtime, database: Database
) -> None:
    parts, older = runtime.night_parts(), "nightly-2026-11-22-1"
    with pytest.raises(GateError):
        publish.publish(parts, older, force=False, reason=None)
    with pytest.raises(UsageError, match="reason"):
        publish.publish(parts, older, force=True, reason=None)
    publish.publish(parts, older, force=True, reason="the newer one is worse")
    assert shown(database) == [older]


def test_readers_never_see_two_runs_or_none(runtime: Runtime, database: Database) -> None:
    parts = runtime.night_parts()
    seen: list[tuple[int, int]] = []
    stop = threading.Event()

    def read() -> None:
        count = text(
            "SELECT count(DISTINCT run_id), count(*) FROM analytics.latest_recommendations"
        )
        with database.analyst_engine.connect() as connection:
            while not stop.is_set():
                runs, rows = connection.execute(count).one()
                seen.append((runs, rows))
                connection.rollback()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(10):
        publish.publish(parts, "nightly-2026-11-22-1", force=True, reason="test")
        publish.publish(parts, "nightly-2026-11-23-1", force=False, reason=None)
    stop.set()
    for reader in readers:
        reader.join()
    assert len(seen) > 10
    assert set(seen) == {(1, 40 * 6)}


def test_items_deactivated_since_are_hidden_from_the_latest_lists(
    runtime: Runtime, database: Database
) -> None:
    assert runtime.settings.night.k == 6
    with database.engine.begin() as connection:
        item = connection.execute(
            text(
                "UPDATE items SET is_active = false WHERE item_no = "
                "(SELECT min(item_no) FROM recommendations) RETURNING item_id"
            )
        ).scalar_one()
    with database.analyst_engine.connect() as connection:
        rows = connection.execute(
            text("SELECT count(*) FROM analytics.latest_recommendations WHERE item_id = :item"),
            {"item": item},
        ).scalar_one()
    assert rows == 0


def test_publishing_the_shown_run_again_keeps_its_predecessor(
    runtime: Runtime, database: Database
) -> None:
    parts, current = runtime.night_parts(), "nightly-2026-11-23-1"
    with pytest.raises(UsageError, match="is published already"):
        publish.publish(parts, current, force=False, reason=None)
    publish.publish(parts, current, force=True, reason="again")
    with database.engine.connect() as connection:
        previous = connection.execute(text("SELECT previous_run_no FROM publications"))
        assert previous.scalar_one() == 1


def test_a_run_that_is_cancelled_during_the_check_is_not_published(
    runtime: Runtime, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = runtime.night_parts()
    set_second_run_to_checking(database)

    def check_slowly(parts: NightParts, connection: Connection, run: Run) -> Examination:
        cancel(parts, run.run_id, reason="wrong feed")
        return gates.check(parts, connection, run)

    monkeypatch.setattr(publish, "check", check_slowly)
    with pytest.raises(ConflictError, match="became cancelled while it was checked"):
        publish.publish(parts, "nightly-2026-11-23-1", force=True, reason="x")
    with database.engine.connect() as connection:
        states = connection.execute(text("SELECT state FROM runs ORDER BY run_no")).scalars().all()
        assert states == ["published", "cancelled"]
        assert connection.execute(text("SELECT run_no FROM publications")).scalar_one() == 1


def test_one_worker_checks_and_others_wait(
    runtime: Runtime, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = runtime.night_parts()
    set_second_run_to_checking(database)
    checks: list[int] = []

    def counted(parts: NightParts, connection: Connection, run: Run) -> Examination:
        checks.append(run.run_no)
        return gates.check(parts, connection, run)

    monkeypatch.setattr(publish, "check", counted)
    monkeypatch.setattr(draining, "_CHECK_WAIT_S", 0.1)
    args = (parts, runtime.night_options(), 2, "other")
    with ThreadPoolExecutor(1) as pool:
        with hold_lock(database.engine, "check nightly-2026-11-23-1"):
            waiting = pool.submit(draining.drain, *args)
            with pytest.raises(TimeoutError):
                waiting.result(1)
            assert checks == []
        assert waiting.result(60).run.state == "published"
    assert checks == [2]
