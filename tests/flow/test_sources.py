"""Nights with co-purchases as a source: stored rows, which depend only on data."""

import datetime as dt
import json

import pytest
from sqlalchemy import text

from gpt4rec_es.cli.main import run as run_cli
from gpt4rec_es.db.rows.history import load_item_numbers
from gpt4rec_es.lab.baselines.scored import CoPurchases
from gpt4rec_es.lab.replay.changes import ReplayChanges
from gpt4rec_es.lab.replay.replay import replay
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.inprocess import NightReport, run_night
from gpt4rec_es.night.inputs.co_purchases import ensure_co_purchases
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.night.publish.prune import prune
from gpt4rec_es.night.start import start_night
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.pairs import COSINE
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.shop import Shop, add_purchases, stored_rows

DAY = dt.date(2026, 11, 22)
BOTH = "queries:0.3,co_purchase:0.7"


def night(runtime: Runtime, date: dt.date = DAY) -> NightReport:
    return run_night(runtime.night_parts(), runtime.night_options(), date)


def count(database: Database, statement: str) -> int:
    with database.engine.connect() as connection:
        return int(connection.execute(text(statement)).scalar_one())


@pytest.fixture
def varied_shop(shop: Shop, database: Database) -> Shop:
    """Users that share some of their purchases, but not all."""
    with database.engine.begin() as connection:
        add_purchases(connection, version=2, first_user=10, users=30)
        connection.execute(text("UPDATE catalog_state SET history_version = 2"))
    return shop


def test_a_night_of_both_sources_says_where_each_item_is_from(
    varied_shop: Shop, database: Database
) -> None:
    report = night(varied_shop.runtime(sources=BOTH))
    assert report.state == "published"
    with database.analyst_engine.connect() as connection:
        rows = connection.execute(
            text("SELECT * FROM analytics.latest_recommendations ORDER BY user_id, rank")
        ).all()
        sources = connection.execute(
            text("SELECT candidate_source, weight, fusion FROM analytics.run_sources ORDER BY 1")
        ).all()
    assert [tuple(row) for row in sources] == [
        ("co_purchase", pytest.approx(0.7), "scores"),
        ("queries", pytest.approx(0.3), "scores"),
    ]
    by_source = {row.source for row in rows}
    assert {"queries", "co_purchase"} <= by_source
    for row in rows:
        assert (row.from_item_id is not None) == (row.source == "co_purchase")
        assert (row.query is None) == (row.source in {"co_purchase", "popular"})
        assert (row.fused_score is None) == row.is_fallback
    bought = count(
        database,
        "SELECT count(*) FROM recommendations AS r JOIN interactions USING (user_no, item_no)",
    )
    not_from_bought = count(
        database,
        """
        SELECT count(*) FROM recommendations AS r WHERE from_item_no IS NOT NULL
        AND NOT EXISTS (SELECT FROM interactions AS x
                        WHERE x.user_no = r.user_no AND x.item_no = r.from_item_no)
        """,
    )
    assert (bought, not_from_bought) == (0, 0)


def test_without_other_sources_nothing_is_counted(shop: Shop, database: Database) -> None:
    night(shop.runtime())
    assert count(database, "SELECT count(*) FROM co_purchase_sets") == 0
    assert count(database, "SELECT count(*) FROM runs WHERE manifest ? 'fusion'") == 0
    assert count(database, "SELECT count(fused_score) FROM recommendations") == 0


@pytest.mark.parametrize("fusion", ["scores", "ranks"])
def test_shallow_searches_and_other_shards_make_the_same_lists(
    varied_shop: Shop, database: Database, fusion: str
) -> None:
    night(varied_shop.runtime(sources=BOTH, fusion=fusion))
    shallow = varied_shop.runtime(sources=BOTH, fusion=fusion, depth=2, merge_shard_size=3)
    night(shallow, DAY + dt.timedelta(days=1))
    with database.engine.connect() as connection:
        assert stored_rows(connection, 1) == stored_rows(connection, 2)


def test_the_set_is_made_once_per_history_and_catalog(
    varied_shop: Shop, database: Database
) -> None:
    runtime = varied_shop.runtime(sources=BOTH)
    sets = "SELECT count(*) FROM co_purchase_sets"
    night(runtime)
    night(runtime, DAY + dt.timedelta(days=1))
    assert count(database, sets) == 1
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE catalog_state SET history_version = 3"))
    night(runtime, DAY + dt.timedelta(days=2))
    assert count(database, sets) == 2
    parts = runtime.night_parts()
    kept = prune(parts, keep_published=3, keep_rejected=0)
    assert kept.co_purchase_sets == 0
    # Only the published run and the one before it are left, and with them both sets.
    prune(parts, keep_published=0, keep_rejected=0)
    assert count(database, sets) == 2
    night(runtime, DAY + dt.timedelta(days=3))
    # A recent set may be in use by a replay.
    assert prune(parts, keep_published=0, keep_rejected=0).co_purchase_sets == 0
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE co_purchase_sets SET created_at = 'yesterday'::date - 1"))
    pruned = prune(parts, keep_published=0, keep_rejected=0)
    assert (pruned.co_purchase_sets, count(database, sets)) == (1, 1)


def test_neighbours_are_those_of_the_baseline_and_can_be_recommended(
    varied_shop: Shop, database: Database
) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE items SET is_active = false WHERE item_no % 7 = 0"))
        connection.execute(text("UPDATE items SET title = NULL WHERE item_no % 11 = 0"))
    set_no = ensure_co_purchases(database.engine, Fusion(neighbours=60, pairs=COSINE))
    with database.engine.connect() as connection:
        users = connection.execute(text("SELECT user_no FROM users")).scalars().all()
        histories = load_item_numbers(connection, users, 2)
        rows = connection.execute(
            text("SELECT * FROM co_purchases WHERE set_no = :no"), {"no": set_no}
        ).all()
        n_items = connection.execute(text("SELECT max(item_no) + 1 FROM items")).scalar_one()
    cosines = CoPurchases(list(histories.values()), n_items).scores([(n,) for n in range(n_items)])
    found = {
        (row.item_no, other): cosine
        for row in rows
        for other, cosine in zip(row.neighbour_nos, row.similarities, strict=True)
    }
    assert found == {
        (item, other): pytest.approx(float(cosines[item, other]), rel=1e-5)
        for item in range(n_items)
        for other in range(n_items)
        if cosines[item, other] and other % 7 and other % 11
    }


def test_purchases_in_mid_planning_are_counted_by_planning_again(
    varied_shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = []

    def import_meanwhile(*args: object, **kwargs: object) -> int:
        set_no = ensure_co_purchases(*args, **kwargs)  # type: ignore[arg-type]
        if not imported:
            with database.engine.begin() as connection:
                connection.execute(text("UPDATE catalog_state SET history_version = 3"))
            imported.append(set_no)
        return set_no

    monkeypatch.setattr("gpt4rec_es.night.plan.ensure_co_purchases", import_meanwhile)
    night(varied_shop.runtime(sources=BOTH))
    used = count(database, "SELECT co_purchase_set_no FROM runs")
    assert used != imported[0]


def test_why_shows_what_each_source_gave(
    varied_shop: Shop,
    database: Database,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    night(varied_shop.runtime(sources=BOTH))
    data = explain_user(database.engine, "u014").as_dict()
    assert data["equals_merge_now"]
    first = data["recommendations"][0]
    assert first["fused_score"] == pytest.approx(sum(first["contributions"].values()), rel=1e-5)
    co_purchased = [row for row in data["recommendations"] if row["source"] == "co_purchase"]
    assert all(row["from_item"]["item_id"] for row in co_purchased)
    varied_shop.enter(monkeypatch)
    assert run_cli(["why", "u014"]) == 0
    assert "bought with" in capsys.readouterr().out
    assert run_cli(["why", "u014", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run_id"] == data["run_id"]


@pytest.mark.parametrize("fusion", ["scores", "ranks"])
def test_titles_of_purchases_are_searched_once_and_named(
    varied_shop: Shop, database: Database, fusion: str
) -> None:
    chosen = {"sources": "queries:0,history_titles:1", "fusion": fusion, "candidates": 10}
    first = night(varied_shop.runtime(**chosen))
    shallow = night(varied_shop.runtime(**chosen, depth=3), DAY + dt.timedelta(days=1))
    assert first.state == shallow.state == "published"
    with database.engine.connect() as connection:
        assert stored_rows(connection, 1) == stored_rows(connection, 2)
    not_its_title = """
        SELECT count(*) FROM analytics.recommendations
        WHERE source = 'history_titles' AND query IS DISTINCT FROM from_title
    """
    assert count(database, not_its_title) == 0
    assert count(database, "SELECT count(*) FROM recommendations WHERE source = 'history_titles'")
    bought = count(database, "SELECT count(DISTINCT item_no) FROM interactions")
    assert count(database, "SELECT count(*) FROM run_titles WHERE run_no = 1") == bought
    data = explain_user(database.engine, "u014").as_dict()
    assert data["equals_merge_now"]
    assert set(data["recommendations"][0]["contributions"]) == {"history_titles"}


def test_titles_are_kept_while_a_run_has_them(varied_shop: Shop, database: Database) -> None:
    runtime = varied_shop.runtime(sources="queries,history_titles")
    for days in range(3):
        night(runtime, DAY + dt.timedelta(days=days))
    prune(runtime.night_parts(), keep_published=0, keep_rejected=0)
    kept = count(database, "SELECT count(DISTINCT run_no) FROM run_titles")
    lost = "SELECT count(*) FROM run_titles LEFT JOIN searches USING (query_no) WHERE depth IS NULL"
    assert (kept, count(database, lost)) == (2, 0)
    assert explain_user(database.engine, "u014").equals_merge_now


def test_counting_that_ends_midway_leaves_nothing_and_can_be_repeated(
    varied_shop: Shop, database: Database
) -> None:
    def cut_off(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_co_purchases(database.engine, Fusion(), progress=cut_off)
    left = "SELECT (SELECT count(*) FROM co_purchase_sets) + (SELECT count(*) FROM co_purchases)"
    assert count(database, left) == 0
    set_no = ensure_co_purchases(database.engine, Fusion())
    assert count(database, f"SELECT n_items FROM co_purchase_sets WHERE set_no = {set_no}") > 0


def test_an_import_that_corrects_the_order_of_purchases_changes_no_planned_run(
    varied_shop: Shop, database: Database
) -> None:
    runtime = varied_shop.runtime(sources=BOTH, history_decay=0.2)
    night(runtime)
    parts, options = runtime.night_parts(), runtime.night_options()
    started = start_night(parts, options, DAY + dt.timedelta(days=1))
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE interactions SET event_no = -event_no"))
    drain(parts, options, started.run.run_no, "test")
    with database.engine.connect() as connection:
        assert stored_rows(connection, 1) == stored_rows(connection, 2)
    assert replay(parts, started.run.run_id, ReplayChanges()).is_equal
