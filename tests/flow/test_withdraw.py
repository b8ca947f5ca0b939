"""Withdrawal of runs: allowed states, and rows visible to readers afterwards."""

import datetime as dt

import pytest
from sqlalchemy import text

from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.errors import GateError, UsageError
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.publish import publish, withdraw
from gpt4rec_es.night.start import start_night
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.shop import Shop

DAY = dt.date(2026, 11, 22)
RUNS = [f"nightly-2026-11-{day}-1" for day in (22, 23, 24)]


@pytest.fixture
def runtime(shop: Shop) -> Runtime:
    """Three nights were published."""
    runtime = shop.runtime()
    for days in range(3):
        run_night(runtime.night_parts(), runtime.night_options(), DAY + dt.timedelta(days=days))
    return runtime


def shown(database: Database) -> list[str]:
    with database.analyst_engine.connect() as connection:
        found = connection.execute(
            text("SELECT DISTINCT run_id FROM analytics.latest_recommendations")
        )
        return list(found.scalars())


def test_the_published_run_gives_way_to_the_one_before_it(
    runtime: Runtime, database: Database
) -> None:
    parts = runtime.night_parts()
    planned = withdraw.reject(parts, RUNS[2], reason="wrong prices", dry_run=True)
    assert planned.published is not None
    assert planned.published.run_id == RUNS[1]
    assert shown(database) == [RUNS[2]]
    done = withdraw.reject(parts, "latest", reason="wrong prices")
    assert (done.rejected.run_id, done.rejected.state) == (RUNS[2], "rejected")
    assert done.rejected.error == "by an operator: wrong prices"
    assert shown(database) == [RUNS[1]]
    with pytest.raises(UsageError, match="is rejected: it is not published"):
        withdraw.reject(parts, RUNS[2], reason="again")
    with database.engine.connect() as connection:
        act = connection.execute(
            text("SELECT actor, object, before, after, reason FROM audit WHERE action = 'reject'")
        ).one()
    assert tuple(act) == (
        "test",
        RUNS[2],
        {"state": "published", "published": RUNS[2]},
        {"state": "rejected", "published": RUNS[1]},
        "wrong prices",
    )
    publish.publish(parts, RUNS[2], force=False, reason=None)
    assert shown(database) == [RUNS[2]]


def test_an_earlier_run_is_left_out_of_rollbacks(runtime: Runtime, database: Database) -> None:
    parts = runtime.night_parts()
    done = withdraw.reject(parts, RUNS[1], reason="bad too")
    assert done.published is not None
    assert done.published.run_id == RUNS[2]
    assert shown(database) == [RUNS[2]]
    assert withdraw.rollback(parts, reason="x").run_id == RUNS[0]
    with pytest.raises(UsageError, match="No earlier published run"):
        withdraw.reject(parts, RUNS[0], reason="x")
    assert shown(database) == [RUNS[0]]


@pytest.mark.parametrize("state", ["planned", "generating", "searching", "merging"])
def test_a_run_without_lists_is_to_be_cancelled_instead(
    shop: Shop, database: Database, state: str
) -> None:
    runtime = shop.runtime()
    parts = runtime.night_parts()
    run = start_night(parts, runtime.night_options(), DAY).run
    with database.engine.begin() as connection:
        run_rows.set_state(connection, run.run_no, state)
    with pytest.raises(UsageError, match="runs cancel nightly-2026-11-22-1"):
        withdraw.reject(parts, run.run_id, reason="x")


@pytest.mark.parametrize("state", ["failed", "cancelled", "superseded"])
def test_what_was_never_shown_cannot_be_taken_back(
    runtime: Runtime, database: Database, state: str
) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE runs SET state = :state WHERE run_id = :run"),
            {"state": state, "run": RUNS[0]},
        )
    with pytest.raises(UsageError, match="it is not published"):
        withdraw.reject(runtime.night_parts(), RUNS[0], reason="x")


def test_a_run_that_is_being_checked_is_not_published_any_more(
    runtime: Runtime, database: Database
) -> None:
    parts = runtime.night_parts()
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE publications SET previous_run_no = NULL, run_no = "
                "(SELECT run_no FROM runs WHERE run_id = :run)"
            ),
            {"run": RUNS[1]},
        )
        connection.execute(
            text("UPDATE runs SET state = 'checking', finished_at = NULL WHERE run_id = :run"),
            {"run": RUNS[2]},
        )
        run = run_rows.find(connection, RUNS[2])
    done = withdraw.reject(parts, RUNS[2], reason="seen in the sample")
    assert done.published is not None
    assert done.published.run_id == RUNS[1]
    with pytest.raises(GateError, match="rejected: by an operator"):
        publish.check_and_publish(parts, run)
    assert shown(database) == [RUNS[1]]
