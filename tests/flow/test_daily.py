"""Daily sums after nights, rollbacks, second attempts and prunes."""

import datetime as dt
import json

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from gpt4rec_es.cli.main import cli
from gpt4rec_es.errors import GateError
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.publish import publish, withdraw
from gpt4rec_es.night.publish.prune import prune
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.shop import Shop

DAY = dt.date(2026, 11, 22)


@pytest.fixture
def runtime(shop: Shop) -> Runtime:
    return shop.runtime()


def night(runtime: Runtime, days: int = 0) -> str:
    return run_night(
        runtime.night_parts(), runtime.night_options(), DAY + dt.timedelta(days=days)
    ).run_id


def shown(database: Database) -> dict[str, tuple[str, int]]:
    """Return date -> the run of the shown sums, and the total users of its queries."""
    with database.analyst_engine.connect() as connection:
        found = connection.execute(
            text("""
            SELECT logical_date::text AS day, run_id, sum(query_user_count)::int AS users
            FROM analytics.daily_queries GROUP BY 1, 2 ORDER BY 1
            """)
        )
        return {row.day: (row.run_id, row.users) for row in found}


def test_sums_are_published_with_the_lists_and_equal_what_these_add_up_to(
    runtime: Runtime, database: Database
) -> None:
    night(runtime)
    with database.analyst_engine.connect() as connection:
        connection.execute(text("SET search_path = analytics"))
        (differing,) = connection.execute(
            text("""
            SELECT count(*) FROM (
                SELECT query_id, count(*) AS n FROM latest_generated_queries GROUP BY 1) AS l
            FULL JOIN daily_queries AS d USING (query_id)
            WHERE n IS DISTINCT FROM query_user_count
            """)
        ).one()
        (recommended,) = connection.execute(
            text("SELECT sum(recommended_user_count) FROM daily_items")
        ).one()
        (everything,) = connection.execute(
            text("""
            SELECT offered_item_count, recommended_item_count, given_recommendation_count
            FROM daily_coverage WHERE coverage_of = 'all'
            """)
        ).all()
        never = connection.execute(text("SELECT count(*) FROM never_recommended_items"))
        assert differing == 0
        assert recommended == 40 * 6
        assert everything == (60, 60 - never.scalar_one(), 40 * 6)


def test_a_rejected_run_has_no_sums_until_it_is_forced(shop: Shop, database: Database) -> None:
    runtime = shop.runtime(k=59, gate_limits="full=1")
    with pytest.raises(GateError):
        night(runtime)
    assert shown(database) == {}
    run_id = "nightly-2026-11-22-1"
    publish.publish(runtime.night_parts(), run_id, force=True, reason="short lists will do")
    assert shown(database)["2026-11-22"][0] == run_id


def test_what_was_published_last_for_a_date_counts(shop: Shop, database: Database) -> None:
    runtime = shop.runtime(gate_limits="shrinkage=1")
    parts = runtime.night_parts()
    first = night(runtime)
    before = shown(database)
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM interactions WHERE user_no > 21"))
        connection.execute(text("UPDATE catalog_state SET history_version = 2"))
    second = night(runtime)
    assert (first, second) == ("nightly-2026-11-22-1", "nightly-2026-11-22-2")
    assert shown(database)["2026-11-22"][0] == second
    assert shown(database) != before
    withdraw.rollback(parts, reason="x")
    assert shown(database) == before
    publish.publish(parts, second, force=False, reason=None)
    assert shown(database)["2026-11-22"][0] == second
    third = night(runtime, days=1)
    assert shown(database)["2026-11-23"][0] == third
    withdraw.rollback(parts, reason="x")
    assert list(shown(database)) == ["2026-11-22"]


def test_sums_and_their_texts_outlive_the_lists(
    shop: Shop, runtime: Runtime, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(runtime)
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM interactions"))
        connection.execute(text("UPDATE catalog_state SET history_version = 2"))
    parts = runtime.night_parts()
    for days in range(1, 4):
        with pytest.raises(GateError, match="0 of 0"):
            night(runtime, days)
        publish.publish(parts, f"nightly-2026-11-{22 + days}-1", force=True, reason="nobody bought")
    sums = shown(database)
    assert sums["2026-11-22"][1] > 40
    with database.engine.connect() as connection:
        queries = connection.execute(text("SELECT count(*) FROM queries")).scalar_one()
    report = prune(runtime.night_parts(), keep_published=1)
    assert "nightly-2026-11-22-1" in report.runs
    assert report.prompts, "nobody has a history any more"
    assert shown(database) == sums
    with database.engine.connect() as connection:
        kept = connection.execute(
            text("SELECT count(*) FROM queries JOIN daily_queries USING (query_no)")
        ).scalar_one()
    assert 0 < kept <= queries
    shop.enter(monkeypatch)
    result = CliRunner().invoke(cli, ["queries", "find", "--json", "red", "clock"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert rows
    assert {row["logical_date"] for row in rows} == {"2026-11-22"}
    assert all({"red", "clock"} <= set(row["query"].split()) for row in rows)
    assert "clock" in CliRunner().invoke(cli, ["queries", "find", "clock"]).stdout


def test_sums_of_an_attempt_that_does_not_count_go_with_its_lists(
    runtime: Runtime, database: Database
) -> None:
    parts = runtime.night_parts()
    for days in (0, 0, 1, 2):
        night(runtime, days)
    before = shown(database)
    prune(parts, keep_published=1)
    assert shown(database) == before
    with database.engine.connect() as connection:
        kept = connection.execute(text("SELECT DISTINCT run_no FROM daily_items ORDER BY 1"))
        assert list(kept.scalars()) == [2, 3, 4]
