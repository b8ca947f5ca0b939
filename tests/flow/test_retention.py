"""Retention: old runs are deleted, rows of kept runs stay; runs are compared and exported."""

import csv
import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from gpt4rec_es.cli.runs_output import print_diff
from gpt4rec_es.db.rows import prune as prune_rows
from gpt4rec_es.errors import UsageError
from gpt4rec_es.exports.export import export
from gpt4rec_es.lab.replay.diff import diff_runs
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.night.publish import prune as pruning
from gpt4rec_es.night.publish.prune import prune
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.shop import Shop, add_purchases

DAY = dt.date(2026, 11, 22)


@pytest.fixture
def runtime(shop: Shop, database: Database) -> Runtime:
    """Four nights; before each but the first, the last ten users buy something."""
    runtime = shop.runtime()
    for night in range(4):
        if night:
            with database.engine.begin() as connection:
                add_purchases(connection, night + 1, first_user=30, users=40)
                connection.execute(
                    text("UPDATE catalog_state SET history_version = :v"), {"v": night + 1}
                )
        run_night(runtime.night_parts(), runtime.night_options(), DAY + dt.timedelta(days=night))
    return runtime


def counts(database: Database) -> dict[str, int]:
    with database.engine.connect() as connection:
        return {
            table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("recommendations", "prompts", "generations", "queries", "searches")
        }


def test_prune_keeps_what_kept_runs_need(
    runtime: Runtime, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune_rows, "LISTS_DAYS", 0)
    parts, engine = runtime.night_parts(), database.engine
    before = counts(database)
    kept = [explain_user(engine, "u034", f"nightly-2026-11-{day}-1").as_dict() for day in (24, 25)]
    planned = prune(parts, keep_published=1, dry_run=True)
    assert planned.runs == ["nightly-2026-11-22-1", "nightly-2026-11-23-1"]
    assert counts(database) == before
    report = prune(parts, keep_published=1)
    assert report.runs == planned.runs  # never the published one or the one before it
    after = counts(database)
    assert after["recommendations"] == before["recommendations"] / 2
    # Ten users had other prompts in each of the first two nights; the others' are still needed.
    assert report.prompts == before["prompts"] - after["prompts"]
    assert 0 < report.prompts <= 20
    assert [
        explain_user(engine, "u034", f"nightly-2026-11-{day}-1").as_dict() for day in (24, 25)
    ] == kept
    with pytest.raises(UsageError, match="not in run"):
        explain_user(engine, "u034", "nightly-2026-11-22-1")
    again = run_night(parts, runtime.night_options(), DAY + dt.timedelta(days=9))
    assert (again.tokens, again.searches) == (0, 0)
    assert prune(parts, keep_published=9).runs == []


def test_shown_lists_and_their_queries_outlive_a_prune_for_a_while(
    runtime: Runtime, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = runtime.night_parts()
    lists = """
        SELECT run_id, user_id, rank, item_id, source, query FROM analytics.recommendations
        WHERE run_id = 'nightly-2026-11-22-1' ORDER BY user_id, rank
    """
    with database.analyst_engine.connect() as analyst:
        before = analyst.execute(text(lists)).all()
    assert len(before) == 240
    with database.engine.begin() as connection:
        # A user buys what the first night recommended, a day after it.
        connection.execute(
            text("""
            INSERT INTO interactions (user_no, item_no, event_no, event_at, ordinal, version)
            SELECT c.user_no, c.item_no, 99, r.finished_at + interval '1 day', 1, 9
            FROM recommendations AS c JOIN runs AS r USING (run_no)
            WHERE run_no = 1 AND rank = 1 AND user_no = 14
            """)
        )
    assert prune(parts, keep_published=1).runs == ["nightly-2026-11-22-1", "nightly-2026-11-23-1"]
    assert prune(parts, keep_published=1).runs == []
    bought = "SELECT count(*) FROM analytics.recommendation_conversions WHERE run_id = :run"
    with database.analyst_engine.connect() as analyst:
        assert analyst.execute(text(lists)).all() == before
        found = analyst.execute(text(bought), {"run": "nightly-2026-11-22-1"})
        assert found.scalar_one() == 1
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET finished_at = finished_at - interval '36 days'"))
    # The third night, which replaced the second, is 36 days old, too.
    assert prune(parts, keep_published=1).runs == ["nightly-2026-11-22-1", "nightly-2026-11-23-1"]
    with database.analyst_engine.connect() as analyst:
        assert analyst.execute(text(lists)).all() == []
    assert prune(parts, keep_published=1).runs == []


def test_a_prune_that_crosses_the_last_day_of_lists_leaves_nothing(
    runtime: Runtime, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between marking a run and dropping its lists, the 35th day may end."""
    mark = pruning._mark_pruned

    def mark_at_midnight(*arguments: Any) -> bool:
        is_marked = mark(*arguments)
        monkeypatch.setattr(prune_rows, "LISTS_DAYS", 0)
        return is_marked

    monkeypatch.setattr(pruning, "_mark_pruned", mark_at_midnight)
    assert prune(runtime.night_parts(), keep_published=3).runs == ["nightly-2026-11-22-1"]
    with database.engine.connect() as connection:
        for table in ("quality_users", "run_popular", "holdback_users"):
            left = f"SELECT count(*) FROM {table} WHERE run_no = 1"
            assert connection.execute(text(left)).scalar_one() == 0
    assert prune(runtime.night_parts(), keep_published=3).runs == []


def test_diff_names_what_changed(runtime: Runtime, database: Database) -> None:
    found = diff_runs(database.engine, "nightly-2026-11-24-1", "latest")
    assert (found.users_in_both, found.users_only_in_a, found.users_only_in_b) == (40, 0, 0)
    # 30 users bought nothing, but one of them has no history and gets currently popular items.
    assert found.equal_lists == 29
    assert 0 < found.users_with_other_queries <= 10
    assert 0 < (found.mean_jaccard or 0) < 1
    assert found.deciles[-1] == 1.0
    assert sum(row["users"] for row in found.gained) > 0
    assert found.changed_inputs == {"history_version": [3, 4]}
    same = diff_runs(database.engine, "latest", "latest")
    assert (same.mean_jaccard, same.gained, same.lost) == (1.0, [], [])


def test_a_diff_prints_entries_of_manifests_as_recipes_have_them(
    runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    found = diff_runs(runtime.engine, "nightly-2026-11-24-1", "latest").as_dict()
    found["changed_inputs"] = {"holdback": [None, {"key": "a", "arms": {"none": 0.1}}]}
    print_diff(found)
    assert '{"key": "a", "arms": {"none": 0.1}}' in capsys.readouterr().out


def test_exports_hold_every_row(runtime: Runtime, database: Database, tmp_path: Path) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE users SET user_id = '=1+1' WHERE user_id = 'u034'"))
    engine = database.engine
    paths = {fmt: tmp_path / f"out.{fmt}" for fmt in ("jsonl", "csv", "parquet")}
    for fmt, path in paths.items():
        assert export(engine, "recommendations", "latest", fmt, path).rows == 240
    lines = [json.loads(line) for line in paths["jsonl"].read_text().splitlines()]
    table = pq.read_table(paths["parquet"]).to_pylist()
    assert [(r["user_id"], r["rank"], r["item_id"]) for r in lines] == [
        (r["user_id"], r["rank"], r["item_id"]) for r in table
    ]
    assert {"=1+1"} < {row["user_id"] for row in lines}
    cells = list(csv.DictReader(io.StringIO(paths["csv"].read_text())))
    assert "'=1+1" in {row["user_id"] for row in cells}
    trec = tmp_path / "out.trec"
    export(engine, "recommendations", "latest", "trec", trec)
    first = trec.read_text().splitlines()[0].split()
    assert first[1:2] + first[3:5] == ["Q0", "1", "5"]
    queries = tmp_path / "queries.jsonl"
    assert export(engine, "queries", "latest", "jsonl", queries).rows > 40


def test_an_export_that_fails_leaves_no_file(
    runtime: Runtime, database: Database, tmp_path: Path
) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE users SET user_id = 'two words' WHERE user_id = 'u034'"))
    with pytest.raises(UsageError, match="two words"):
        export(database.engine, "recommendations", "latest", "trec", tmp_path / "out.trec")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="no folder"):
        export(database.engine, "queries", "latest", "csv", tmp_path / "none" / "out.csv")
