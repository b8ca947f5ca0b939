"""The night on the small shop, on real servers: stored rows, and the work of a second one."""

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.catalog.import_users import import_users
from gpt4rec_es.db.locks import hold_lock
from gpt4rec_es.errors import ConflictError, GateError
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.inprocess import NightReport, run_night
from gpt4rec_es.night.start import start_night
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.shop import Shop, add_purchases, stored_rows

DAY = dt.date(2026, 11, 22)


def night(runtime: Runtime, date: dt.date = DAY) -> NightReport:
    return run_night(runtime.night_parts(), runtime.night_options(), date)


def test_every_user_gets_an_outcome_and_a_list(shop: Shop, database: Database) -> None:
    report = night(shop.runtime())
    assert report.state == "published"
    assert (report.users, report.prompts) == (40, report.prompts)
    with database.engine.connect() as connection:
        counted = connection.execute(
            text("SELECT outcome, count(*) AS n FROM user_outcomes GROUP BY 1")
        )
        outcomes = {row.outcome: row.n for row in counted}
        lists = connection.execute(
            text(
                "SELECT user_no, count(*) AS n, min(rank) AS first, max(rank) AS last "
                "FROM recommendations GROUP BY 1"
            )
        ).all()
    assert outcomes == {"ok": 39, "no_history": 1}
    assert len(lists) == 40
    assert {(row.n, row.first, row.last) for row in lists} == {(6, 1, 6)}


def test_what_a_night_stored_has_statistics_before_it_is_published(
    shop: Shop, database: Database
) -> None:
    with database.owner_engine.begin() as connection:
        # Else autovacuum might collect them in time.
        connection.execute(text("ALTER TABLE searches SET (autovacuum_enabled = false)"))
        connection.execute(text("SELECT create_run_partitions(1)"))
        for parent in ("run_users", "recommendations", "user_outcomes"):
            connection.execute(text(f"ALTER TABLE {parent}_1 SET (autovacuum_enabled = false)"))
    night(shop.runtime())
    with database.engine.connect() as connection:
        found = connection.execute(
            text("SELECT relname, reltuples::int FROM pg_class WHERE relname = ANY (:names)"),
            {"names": ["run_users_1", "recommendations_1", "user_outcomes_1", "searches"]},
        )
        counts = {row.relname: row.reltuples for row in found}
    assert counts["searches"] > 0
    assert (counts["run_users_1"], counts["user_outcomes_1"]) == (40, 40)
    assert counts["recommendations_1"] == 40 * 6


def test_imported_users_without_purchases_get_lists_that_say_so(
    shop: Shop, database: Database, tmp_path: Path
) -> None:
    runtime = shop.runtime()
    path = tmp_path / "users.csv"
    path.write_text("user_id,segment\nnew1,gold\nu001,gold\n")
    report = import_users(runtime.engine, [path], actor="test", attributes=["segment"])
    assert (report.inserted, report.updated) == (1, 1)
    assert night(runtime).users == 41
    with database.engine.connect() as connection:
        rows = connection.execute(
            text("""
            SELECT outcome, source, count(*) AS n
            FROM analytics.recommendations JOIN analytics.user_outcomes USING (run_id, user_id)
            WHERE user_id = 'new1' GROUP BY 1, 2
            """)
        ).all()
    assert [tuple(row) for row in rows] == [("no_history", "popular", 6)]


def test_bought_and_inactive_items_are_left_out(shop: Shop, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE items SET is_active = false, version = 2 WHERE title LIKE 'garden red%'")
        )
        connection.execute(text("UPDATE catalog_state SET catalog_version = 2"))
    night(shop.runtime())
    with database.engine.connect() as connection:
        wrong = connection.execute(
            text("""
            SELECT count(*) FROM recommendations AS r JOIN items AS i USING (item_no)
            WHERE NOT i.is_active OR EXISTS (
                SELECT FROM interactions AS x
                WHERE x.user_no = r.user_no AND x.item_no = r.item_no)
            """)
        ).scalar_one()
    assert wrong == 0


def test_a_second_night_costs_nothing(shop: Shop, database: Database) -> None:
    runtime = shop.runtime()
    first = night(runtime)
    assert first.searches > 0
    second = night(runtime, DAY + dt.timedelta(days=1))
    assert (second.prompts, second.tokens, second.searches) == (0, 0, 0)
    assert second.state == "published"
    with database.engine.connect() as connection:
        assert stored_rows(connection, 1) == stored_rows(connection, 2)


def test_only_changed_users_cost(shop: Shop, database: Database) -> None:
    runtime = shop.runtime()
    night(runtime)
    with database.engine.begin() as connection:
        add_purchases(connection, version=2, first_user=38, users=40)
        connection.execute(text("UPDATE catalog_state SET history_version = 2"))
    assert night(runtime, DAY + dt.timedelta(days=1)).prompts == 2


def test_each_distinct_text_is_searched_once(shop: Shop, database: Database) -> None:
    report = night(shop.runtime())
    with database.engine.connect() as connection:
        stored = connection.execute(text("SELECT count(*) FROM searches")).scalar_one()
        repeated = connection.execute(
            text(
                "SELECT count(*) FROM (SELECT FROM searches AS s JOIN queries USING (query_no) "
                "GROUP BY text, depth, build_no HAVING count(*) > 1) AS twice"
            )
        ).scalar_one()
    assert report.searches == stored
    assert repeated == 0


def test_an_import_in_mid_run_changes_nothing(shop: Shop, database: Database) -> None:
    runtime = shop.runtime()
    parts, options = runtime.night_parts(), runtime.night_options()
    undisturbed = night(runtime)
    assert undisturbed.state == "published"
    started = start_night(parts, options, DAY + dt.timedelta(days=1))
    with database.engine.begin() as connection:
        add_purchases(connection, version=2, first_user=1, users=40)
        connection.execute(text("UPDATE items SET title = 'renamed ' || title, version = 2"))
        connection.execute(
            text("UPDATE catalog_state SET catalog_version = 2, history_version = 2")
        )
    drain(parts, options, started.run.run_no, "test")
    with database.engine.connect() as connection:
        assert stored_rows(connection, 1) == stored_rows(connection, 2)


def test_shallow_searches_are_topped_up_to_the_same_lists(shop: Shop, database: Database) -> None:
    night(shop.runtime(depth=60))
    shallow = night(shop.runtime(depth=2), DAY + dt.timedelta(days=1))
    assert shallow.state == "published"
    with database.engine.connect() as connection:
        assert stored_rows(connection, 1) == stored_rows(connection, 2)
        depths = connection.execute(text("SELECT DISTINCT depth FROM searches ORDER BY 1"))
        assert list(depths.scalars())[:2] == [2, 8]


def test_a_refused_night_leaves_yesterdays_lists(shop: Shop, database: Database) -> None:
    night(shop.runtime())
    with pytest.raises(GateError, match="lists are full"):
        night(shop.runtime(k=60, min_full_fraction=1), DAY + dt.timedelta(days=1))
    with database.engine.connect() as connection:
        states = connection.execute(text("SELECT state FROM runs ORDER BY run_no")).scalars().all()
        shown = connection.execute(text("SELECT run_no FROM publications")).scalar_one()
    assert (states, shown) == (["published", "rejected"], 1)


def test_an_older_date_is_refused_before_work(shop: Shop, database: Database) -> None:
    runtime = shop.runtime()
    night(runtime)
    with pytest.raises(ConflictError, match=r"could not be published: nightly-2026-11-22-1 is"):
        night(runtime, DAY - dt.timedelta(days=1))
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM runs")).scalar_one() == 1


def test_an_unfinished_run_of_another_date_is_resumed_with_a_warning(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = shop.runtime()
    start_night(runtime.night_parts(), runtime.night_options(), DAY)
    report = night(runtime, DAY + dt.timedelta(days=1))
    assert report.run_id == "nightly-2026-11-22-1"
    assert "with the date and options of its planning, before a night for 2026-11-23" in caplog.text
    assert "--supersede` drops it" in caplog.text


def test_a_night_beside_a_running_one_is_refused(shop: Shop, database: Database) -> None:
    with (
        hold_lock(database.engine, "night nightly"),
        pytest.raises(ConflictError, match="running already"),
    ):
        night(shop.runtime())
