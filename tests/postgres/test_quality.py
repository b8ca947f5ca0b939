"""Nights compared with later purchases, on a shop small enough to count by hand."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection, text

from gpt4rec_es.cli.main import cli
from gpt4rec_es.db.locks import hold_lock
from gpt4rec_es.db.rows.quality import Due
from gpt4rec_es.errors import DependencyError, LockedError
from gpt4rec_es.night.publish import prune as pruning
from gpt4rec_es.night.quality import judge
from gpt4rec_es.night.quality.judge import due_runs, measure
from gpt4rec_es.privacy.forget import forget_user
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.judged_shop import BOUGHT, FixedHits, add_night, buy, parts_with
from tests.rows import add_run

RUN = "nightly-2026-11-22-1"
# (age, method) -> users, bought items, users with a hit, hits, recall
FIGURES = {
    (1, "published"): (2, 3, 1, 1, 0.25),
    (1, "popularity"): (2, 3, 1, 1, 0.25),
    (1, "newest_title"): (2, 3, 1, 1, 0.25),
    (7, "published"): (3, 4, 2, 2, 0.5),
    (7, "popularity"): (3, 4, 2, 2, 0.5),
    (7, "newest_title"): (3, 4, 1, 1, 0.5 / 3),
    (28, "published"): (3, 5, 2, 2, 1 / 3),
    (28, "popularity"): (3, 5, 2, 2, 1 / 3),
    (28, "newest_title"): (3, 5, 2, 2, 1 / 3),
}
PARTS = {
    ("outcome", "no_history", 1, 0),
    ("outcome", "ok", 2, 2),
    ("rank", "1", 3, 1),
    ("rank", "2", 3, 1),
    ("source", "co_purchase", 2, 1),
    ("source", "popular", 2, 0),
    ("source", "queries", 2, 1),
}


@pytest.fixture
def shop(database: Database) -> Database:
    with database.engine.begin() as connection:
        add_night(connection)
    return database


def figures(shop: Database, run_id: str = RUN) -> dict[tuple[int, str], tuple[float, ...]]:
    """Return what the view shows of a run's last measurements."""
    with shop.analyst_engine.connect() as connection:
        found = connection.execute(
            text("""
            SELECT list_age_days, list_kind, buyer_count, bought_count, hit_user_count, hit_count,
                   mean_recall FROM analytics.night_quality
            WHERE run_id = :run AND is_last_measurement
            """),
            {"run": run_id},
        )
        return {(row[0], row[1]): tuple(row[2:]) for row in found}


def expect(found: dict[tuple[int, str], tuple[float, ...]]) -> None:
    assert found == {key: pytest.approx(values) for key, values in FIGURES.items()}


def stored(shop: Database) -> list[tuple[object, ...]]:
    """Return all rows of sums, without the time of their measurement."""
    with shop.engine.connect() as connection:
        return [
            tuple(row)
            for table in ("quality_days", "quality_methods", "quality_parts")
            for row in connection.execute(
                text(f"SELECT to_jsonb(t) - 'measured_at' FROM {table} AS t ORDER BY t::text")
            )
        ]


def test_figures_are_those_counted_by_hand(shop: Database) -> None:
    with shop.engine.begin() as connection:
        buy(connection, BOUGHT)
        assert due_runs(connection) == [RUN]
    assert measure(parts_with(shop.engine)) == [RUN]
    expect(figures(shop))
    with shop.analyst_engine.connect() as connection:
        parts = connection.execute(
            text("""
            SELECT part_kind, part_value, part_count, part_hit_count
            FROM analytics.night_quality_parts
            WHERE list_age_days = 28
            """)
        )
        assert {tuple(row) for row in parts} == PARTS
        low, high, gain = connection.execute(
            text("""
            SELECT hit_rate_low, hit_rate_high, hit_rate_gain FROM analytics.night_quality
            WHERE list_age_days = 7 AND list_kind = 'newest_title'
            """)
        ).one()
        # One of three users; Clopper and Pearson.
        assert (low, high) == (pytest.approx(0.0084, abs=1e-4), pytest.approx(0.9057, abs=1e-4))
        assert gain == pytest.approx(1 / 3)


def test_repeating_it_changes_nothing_and_later_purchases_replace_the_day(shop: Database) -> None:
    with shop.engine.begin() as connection:
        buy(connection, BOUGHT)
    parts = parts_with(shop.engine)
    measure(parts)
    before = stored(shop)
    assert measure(parts) == []
    with shop.engine.begin() as connection:
        buy(connection, [(5, 3, "29 days", 3)])  # counts for no age
    assert measure(parts) == [RUN]
    assert figures(shop) == {key: pytest.approx(values) for key, values in FIGURES.items()}
    with shop.engine.begin() as connection:
        assert due_runs(connection) == []
        # Item 2 was bought before the night, as is known now.
        buy(connection, [(1, 2, "-3 days", 4)])
    assert measure(parts) == [RUN]
    assert figures(shop)[1, "published"] == pytest.approx((2, 2, 0, 0, 0))
    assert len(stored(shop)) == len(before), "of this day"


def test_what_was_measured_on_an_earlier_day_stays(shop: Database) -> None:
    with shop.engine.begin() as connection:
        buy(connection, BOUGHT)
    measure(parts_with(shop.engine))
    with shop.engine.begin() as connection:
        connection.execute(
            text("""
            INSERT INTO quality_days SELECT (jsonb_populate_record(d, jsonb_build_object(
                'measured_on', d.measured_on - 1))).* FROM quality_days AS d;
            INSERT INTO quality_methods SELECT (jsonb_populate_record(m, jsonb_build_object(
                'measured_on', m.measured_on - 1))).* FROM quality_methods AS m;
            DELETE FROM quality_days
            WHERE measured_on = (SELECT max(measured_on) FROM quality_days)
            """)
        )
        buy(connection, [(4, 9, "3 days", 3)])  # counts for two of three ages
    measure(parts_with(shop.engine))
    measure(parts_with(shop.engine))
    assert figures(shop)[1, "published"] == pytest.approx(FIGURES[1, "published"])
    assert figures(shop)[7, "published"] == pytest.approx((4, 5, 2, 2, 1.5 / 4))
    with shop.analyst_engine.connect() as connection:
        days = connection.execute(
            text("""
            SELECT list_age_days, count(*), count(*) FILTER (WHERE is_last_measurement)
            FROM analytics.night_quality WHERE list_kind = 'published' GROUP BY 1 ORDER BY 1
            """)
        )
        assert [tuple(row) for row in days] == [(1, 1, 1), (7, 2, 1), (28, 2, 1)]


def test_purchases_imported_during_a_measurement_are_due_again(
    shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop.engine.begin() as connection:
        buy(connection, BOUGHT)
    search, late = judge.search_titles, [(4, 9, "3 days", 3)]

    def searched_meanwhile(*given: Any, **named: Any) -> None:
        if late:
            with shop.engine.begin() as connection:
                buy(connection, [late.pop()])
        search(*given, **named)

    monkeypatch.setattr(judge, "search_titles", searched_meanwhile)
    measure(parts_with(shop.engine))
    measure(parts_with(shop.engine))
    assert figures(shop)[7, "published"] == pytest.approx((4, 5, 2, 2, 1.5 / 4))


def test_without_purchases_since_there_are_no_users(shop: Database) -> None:
    assert measure(parts_with(shop.engine)) == [RUN]
    assert {values[:2] for values in figures(shop).values()} == {(0, 0)}
    assert measure(parts_with(shop.engine)) == []


def test_a_pruned_run_is_measured_as_before(
    shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop.engine.begin() as connection:
        for run_no in (2, 3):
            add_run(connection, run_no, "published", f"2026-11-2{run_no + 1}")
        connection.execute(
            text("""
            UPDATE runs SET finished_at = now(), planned_at = now() WHERE run_no > 1;
            INSERT INTO publications (kind, run_no, previous_run_no) VALUES ('nightly', 3, 2)
            """)
        )
    parts = parts_with(shop.engine)
    assert pruning.prune(parts, keep_published=0).runs == [RUN]
    with shop.engine.begin() as connection:
        buy(connection, BOUGHT)
    assert measure(parts) == [RUN]
    expect(figures(shop))
    monkeypatch.setattr(pruning.rows, "LISTS_DAYS", 0)
    assert pruning.prune(parts, keep_published=0).runs == [RUN]
    expect(figures(shop))
    with shop.engine.connect() as connection:
        kept = "SELECT (SELECT count(*) FROM quality_users) + (SELECT count(*) FROM run_popular)"
        assert connection.execute(text(kept)).scalar_one() == 0
        assert due_runs(connection) == []


def test_withdrawn_runs_are_neither_measured_nor_shown(shop: Database) -> None:
    with shop.engine.begin() as connection:
        buy(connection, BOUGHT)
    measure(parts_with(shop.engine))
    with shop.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET state = 'rejected'"))
        buy(connection, [(1, 5, "3 hours", 3)])
        assert due_runs(connection) == []
    assert figures(shop) == {}
    with shop.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET state = 'published'"))
    assert measure(parts_with(shop.engine)) == [RUN]
    assert figures(shop)[1, "published"][:2] == (2, 4)


def test_of_an_erased_user_only_sums_stay(shop: Database) -> None:
    with shop.engine.begin() as connection:
        buy(connection, BOUGHT)
    parts = parts_with(shop.engine)
    measure(parts)
    before = stored(shop)
    with shop.engine.begin() as connection:
        add_run(connection, 2, "published", "2026-11-23")
        connection.execute(text("UPDATE runs SET finished_at = now() WHERE run_no > 1"))
    pruning.prune(parts, keep_published=1)
    with shop.engine.connect() as connection:
        left = "SELECT count(*) FROM {} WHERE user_no = 1"
        tables = ("quality_users", "recommendations")
        counts = [connection.execute(text(left.format(t))).scalar_one() for t in tables]
        assert counts == [1, 2]
    forget_user(shop.engine, "u-1", actor="test")
    with shop.engine.connect() as connection:
        counts = [connection.execute(text(left.format(t))).scalar_one() for t in tables]
        assert counts == [0, 0]
    assert stored(shop) == before


def test_newest_titles_that_the_night_did_not_search_are_searched(shop: Database) -> None:
    with shop.engine.begin() as connection:
        connection.execute(text("DELETE FROM searches"))
        buy(connection, BOUGHT)
    retriever = FixedHits((1, 9, 2))
    parts = parts_with(shop.engine, retriever)
    assert measure(parts) == [RUN]
    assert retriever.asked == ["title 1", "title 3"]
    assert figures(shop)[1, "newest_title"][2:4] == (1, 2)  # items 9 and 2
    with shop.engine.begin() as connection:
        connection.execute(text("DELETE FROM quality_days; DELETE FROM searches"))
        connection.execute(text("UPDATE builds SET state = 'deleted'"))
    assert measure(
        dataclasses.replace(parts, open_retriever=parts_with(shop.engine).open_retriever)
    )
    with shop.analyst_engine.connect() as connection:
        judged = connection.execute(
            text("""
            SELECT list_kind, judged_user_count FROM analytics.night_quality
            WHERE list_age_days = 1 ORDER BY list_kind
            """)
        ).all()
    # The list of u-3 is known to be empty: nothing was bought before.
    assert judged == [("newest_title", 1), ("popularity", 2), ("published", 2)]


def run_cli(*args: str) -> Result:
    result = CliRunner().invoke(cli, ["quality", *args])
    assert result.exit_code == 0, result.output
    return result


def test_the_command_measures_and_shows(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", shop.writer_url)
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://127.0.0.1:9")
    with shop.engine.begin() as connection:
        buy(connection, BOUGHT)
    assert json.loads(run_cli("--dry-run", "--json").stdout) == {"due": [RUN]}
    assert stored(shop) == []
    assert RUN in run_cli("--dry-run").stdout
    lines = [line.split() for line in run_cli().stdout.splitlines() if RUN in line]
    assert lines == [
        [RUN, "1", "2", *["50.00", "%", "50.00", "%", "50.00", "%", "yes"]],
        [RUN, "7", "3", *["66.67", "%", "66.67", "%", "33.33", "%", "yes"]],
        [RUN, "28", "3", *["66.67", "%", "66.67", "%", "66.67", "%", "yes"]],
    ]
    shown = run_cli("--run", RUN).stdout
    assert "28 days: 3 users bought 5 new items" in shown
    assert "66.67 9.43..99.16" in shown
    assert "Observational: a list may cause" in shown
    for part in ("co_purchase", "no_history"):
        assert part in shown
    data = json.loads(run_cli("--run", RUN, "--json").stdout)
    assert [one["n_users"] for one in data["measurements"]] == [2, 3, 3]
    assert data["reason"] is None


@pytest.mark.parametrize(
    ("change", "args", "reason"),
    [
        ("UPDATE runs SET planned_at = now()", ["--run", RUN], "less than a day old"),
        ("UPDATE runs SET planned_at = now()", [], "none is a day old"),
        ("UPDATE runs SET k = 2", ["--run", RUN], "No purchases were imported that users of"),
        ("UPDATE runs SET k = 2", [], "No purchases made after these nights"),
        ("UPDATE runs SET state = 'rejected'", ["--run", RUN], "only published runs"),
        ("UPDATE runs SET pruned_at = now()", ["--run", RUN], "was pruned, and what its lists"),
        ("UPDATE runs SET planned_at = '2026-01-01'", ["--run", RUN], "older than 35 days"),
    ],
)
def test_without_figures_the_command_says_why(
    shop: Database,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    args: list[str],
    reason: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", shop.writer_url)
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://127.0.0.1:9")
    with shop.engine.begin() as connection:
        connection.execute(text(change))
    assert reason in run_cli(*args).stdout


def test_an_import_of_purchases_measures(
    shop: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", shop.writer_url)
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://127.0.0.1:9")
    file = tmp_path / "purchases.csv"
    with shop.engine.connect() as connection:
        bought_at = connection.execute(
            text("SELECT planned_at + interval '12 hours' FROM runs")
        ).scalar_one()
    file.write_text(f"user_id,item_id,timestamp\nu-1,i-2,{bought_at.isoformat()}\n")
    result = CliRunner().invoke(cli, ["import", "interactions", str(file)])
    assert result.exit_code == 0, result.output
    assert figures(shop)[1, "published"] == pytest.approx((1, 1, 1, 1, 1))
    # A server that is lost does not fail the import, which is done.
    with shop.engine.begin() as connection:
        connection.execute(text("DELETE FROM searches"))

    def lost(*_: object) -> None:
        raise DependencyError("Elasticsearch cannot be reached.", "Start it.")

    monkeypatch.setattr(Runtime, "retriever", lost)
    file.write_text(f"user_id,item_id,timestamp\nu-1,i-3,{bought_at.isoformat()}\n")
    result = CliRunner().invoke(cli, ["import", "interactions", str(file)])
    assert result.exit_code == 0, result.output
    assert "`gpt4rec quality` does it later" in result.output
    assert figures(shop)[1, "published"] == pytest.approx((1, 1, 1, 1, 1))


def test_the_trend_has_published_nights_newest_first(
    shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", shop.writer_url)
    with shop.engine.begin() as connection:
        buy(connection, BOUGHT)
        add_run(connection, 2, "published", "2026-11-23")
        add_run(connection, 3, "rejected", "2026-11-24")
        connection.execute(
            text("""
            UPDATE runs SET planned_at = now(), finished_at = now() + interval '90 seconds'
            WHERE run_no = 2;
            INSERT INTO run_measures (run_no, measure, value, n) VALUES
                (2, 'fallback_places', 0.25, 8), (2, 'equal_lists', 0.75, 4),
                (2, 'top_item_lists', 0.5, 4);
            INSERT INTO daily_coverage VALUES (2, 'all', '', 8, 6, 9);
            INSERT INTO run_counts (run_no, stage, name, detail, n) VALUES
                (2, 'generate', 'tokens', '', 70), (2, 'search', 'searches', '', 5),
                (2, 'merge', 'searches', '', 2)
            """)
        )
    measure(parts_with(shop.engine))
    result = CliRunner().invoke(cli, ["runs", "trend", "--json"])
    newer, older = json.loads(result.stdout)
    assert (newer["run_id"], older["run_id"]) == ("nightly-2026-11-23-2", RUN)
    assert {name: newer[name] for name in ("fallbacks", "coverage", "top_item", "changed")} == {
        "fallbacks": 0.25,
        "coverage": 0.75,
        "top_item": 0.5,
        "changed": 0.25,
    }
    assert (newer["seconds"], newer["tokens"], newer["searches"]) == (90, 70, 7)
    assert newer["hit_rate_1"] is None
    assert (older["buyers_1"], older["hit_rate_1"], older["popularity_1"]) == (2, 0.5, 0.5)
    assert older["hit_rate_7"] == pytest.approx(2 / 3)
    assert (older["fallbacks"], older["tokens"]) == (None, 0)
    lines = CliRunner().invoke(cli, ["runs", "trend"]).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    date = RUN.removeprefix("nightly-")[:10]
    (shown,) = [line.split() for line in lines if date in line]
    assert shown[:7] == [date, "4", *["-", "-", "-", "-", "50"]]


def test_arms_of_a_holdback_are_compared_and_held_back_users_left_out(
    shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", shop.writer_url)
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://127.0.0.1:9")
    with shop.engine.begin() as connection:
        buy(connection, BOUGHT)
        connection.execute(
            text("""
            UPDATE runs SET manifest = '{"holdback": {"key": "k", "arms": {"popularity": 0.5}}}';
            INSERT INTO holdback_users VALUES (1, 2, 'popularity'), (1, 4, 'popularity')
            """)
        )
    measure(parts_with(shop.engine))
    # Without u-2.
    assert figures(shop)[7, "published"] == pytest.approx(FIGURES[1, "published"])
    data = json.loads(run_cli("--run", RUN, "--json").stdout)
    recipe, popularity = (one for one in data["arms"] if one["age_days"] == 28)
    assert {**recipe, **popularity}["recipe_against_it"]["difference"] == 0.5
    counts = ("arm", "n_users", "n_buyers", "n_bought", "n_hit_users")
    assert [recipe[name] for name in counts] == ["recipe", 2, 2, 3, 1]
    assert [popularity[name] for name in counts] == ["popularity", 2, 1, 2, 1]
    shown = run_cli("--run", RUN).stdout
    assert "arms are random groups" in shown
    assert any(line.split()[:3] == ["28", "popularity", "2"] for line in shown.splitlines())


def test_what_a_killed_measurement_left_out_is_measured_by_the_next(
    shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop.engine.begin() as connection:
        buy(connection, BOUGHT)
    parts, store = parts_with(shop.engine), judge.rows.store

    def die_at_7(connection: Connection, due: Due, **found: Any) -> None:
        store(connection, due, **found)
        if due.age_days == 7:
            raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(judge.rows, "store", die_at_7)
        with pytest.raises(KeyboardInterrupt):
            measure(parts)
    assert {age for age, _ in figures(shop)} == {1}
    assert measure(parts) == [RUN]
    expect(figures(shop))
    # While one process measures, another does not.
    with hold_lock(shop.engine, "quality"), pytest.raises(LockedError):
        measure(parts)
