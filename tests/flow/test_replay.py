"""A replay equals the night by default, otherwise a night with the changed settings."""

import datetime as dt
import json
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.cli.main import run as run_cli
from gpt4rec_es.db.rows.texts import load_searches
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.index.bm25 import set_bm25
from gpt4rec_es.index.prune import delete_index
from gpt4rec_es.lab.replay import replay as replaying
from gpt4rec_es.lab.replay.changes import ReplayChanges
from gpt4rec_es.lab.replay.diff import diff_runs
from gpt4rec_es.lab.replay.replay import replay
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.publish.prune import prune
from gpt4rec_es.night.stages import hits
from gpt4rec_es.night.start import start_night
from gpt4rec_es.records import Bm25, SearchResult
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.shop import Shop, add_purchases

DAY = dt.date(2026, 11, 22)
RUN = "nightly-2026-11-22-1"
FUSED = (("queries", 0.4), ("co_purchase", 0.6))


@pytest.fixture
def runtime(shop: Shop) -> Runtime:
    runtime = shop.runtime()
    run_night(runtime.night_parts(), runtime.night_options(), DAY)
    return runtime


def next_night(runtime: Runtime) -> str:
    day = DAY + dt.timedelta(days=1)
    return run_night(runtime.night_parts(), runtime.night_options(), day).run_id


def count(database: Database, table: str) -> int:
    with database.engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_nothing_changed_is_the_same_row_by_row(runtime: Runtime, database: Database) -> None:
    before = {table: count(database, table) for table in ("searches", "recommendations")}
    found = replay(runtime.night_parts(), "latest", ReplayChanges())
    assert found.is_equal
    assert (found.users, found.recommendations, found.searches) == (40, 240, 0)
    assert (found.differing_rows, found.lists.mean_jaccard, found.changed) == (0, 1.0, {})
    assert {table: count(database, table) for table in before} == before
    with database.analyst_engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT run_id, is_equal, replay_k, used_queries, equal_list_count "
                "FROM analytics.replays"
            )
        ).one()
    assert tuple(row) == (RUN, True, 6, 3, 40)


def test_any_other_row_is_noticed(runtime: Runtime, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE recommendations SET score = score + 0.001 WHERE rank = 2 AND user_no = "
                "(SELECT user_no FROM users WHERE user_id = 'u014')"
            )
        )
    found = replay(runtime.night_parts(), RUN, ReplayChanges(), store=False)
    assert (found.is_equal, found.differing_rows, found.differing_users) == (False, 2, ["u014"])
    assert found.lists.equal_lists == 40
    assert count(database, "replays") == 0


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"k": 9}, ReplayChanges(k=9)),
        ({"k": 2}, ReplayChanges(k=2)),
        ({"exclude_bought": False}, ReplayChanges(exclude_bought=False)),
        ({}, ReplayChanges(k1=0.3, b=0.1)),
        ({"minimum_should_match": "3"}, ReplayChanges(search={"minimum_should_match": "3"})),
        (
            {"minimum_should_match": "2<-1"},
            ReplayChanges(k1=0.3, b=0.1, search={"minimum_should_match": " 2 < -1"}),
        ),
        (
            {"sources": "queries:0.4,co_purchase:0.6", "fusion": "ranks"},
            ReplayChanges(fusion={"weights": FUSED, "method": "ranks"}),
        ),
    ],
)
def test_a_replay_is_what_a_night_with_these_settings_makes(
    shop: Shop, runtime: Runtime, settings: dict[str, Any], changes: ReplayChanges
) -> None:
    """A night with the changed settings differs from the first night in the same way."""
    other = shop.runtime(**settings, gate_limits="full=0 fallbacks=1 top_item=1")
    if changes.k1 is not None and changes.b is not None:
        set_bm25(
            other.engine,
            other.elastic,
            other.settings.index_alias,
            Bm25(changes.k1, changes.b),
            actor="test",
            reason=None,
        )
    second = next_night(other)
    expected = diff_runs(runtime.engine, RUN, second)
    found = replay(runtime.night_parts(), RUN, changes)
    assert found.lists.mean_jaccard == expected.mean_jaccard
    assert found.lists.deciles == expected.deciles
    assert (found.lists.gained, found.lists.lost) == (expected.gained, expected.lost)
    assert not found.is_equal
    # A replay of the second night without changes has the same rows.
    assert replay(runtime.night_parts(), second, ReplayChanges()).is_equal


def test_fewer_queries_are_the_best_ones(runtime: Runtime, database: Database) -> None:
    found = replay(runtime.night_parts(), RUN, ReplayChanges(num_queries=1))
    assert found.changed == {"decoding.num_queries": [3, 1]}
    assert found.searches == 0
    assert 0 < found.lists.equal_lists < 40


def test_a_fused_night_can_be_taken_apart(shop: Shop, runtime: Runtime) -> None:
    second = next_night(shop.runtime(sources="queries:0.4,co_purchase:0.6"))
    parts = runtime.night_parts()
    plain = replay(parts, second, ReplayChanges(fusion={"weights": (("queries", 1.0),)}))
    assert plain.lists.mean_jaccard == diff_runs(runtime.engine, RUN, second).mean_jaccard
    assert plain.changed["fusion"][1] is None
    other = replay(parts, second, ReplayChanges(fusion={"history_decay": 0.1, "neighbours": 1}))
    assert other.changed == {"fusion.history_decay": [0.7, 0.1], "fusion.neighbours": [100, 1]}
    assert not other.is_equal


def test_rules_are_kept_or_left_away(shop: Shop, runtime: Runtime) -> None:
    with runtime.engine.begin() as connection:
        connection.execute(text("UPDATE items SET price = item_no, brand = left(title, 3)"))
    second = next_night(shop.runtime(min_price=20))
    parts = runtime.night_parts()
    assert diff_runs(runtime.engine, RUN, second).equal_lists < 40
    assert replay(parts, second, ReplayChanges()).is_equal
    without = replay(parts, second, ReplayChanges(without_rules=True))
    expected = diff_runs(runtime.engine, RUN, second)
    # All but the one user without history: popular items are frozen as the rules let them be.
    assert without.lists.equal_lists == expected.equal_lists + 1
    gained = {row["item_id"] for row in without.lists.gained}
    assert len(gained & {row["item_id"] for row in expected.lost}) >= 8
    assert without.changed["rules"][1] is None
    # Other limits: equal to a night with these, except for the frozen popular items.
    capped = shop.runtime(min_price=35, max_per_brand=3, gate_limits="full=0")
    third = run_night(
        capped.night_parts(), capped.night_options(), DAY + dt.timedelta(days=2)
    ).run_id
    other = replay(parts, second, ReplayChanges(rules={"min_price": 35.0, "max_per_brand": 3}))
    assert other.changed == {"rules.min_price": [20, 35], "rules.max_per_brand": [None, 3]}
    assert other.lists.equal_lists == diff_runs(runtime.engine, second, third).equal_lists
    # Rules can be added to a night without rules.
    added = replay(parts, RUN, ReplayChanges(rules={"min_price": 20.0}))
    assert added.lists.equal_lists == expected.equal_lists
    assert added.lists.mean_jaccard == expected.mean_jaccard


def test_a_night_with_everything_on_comes_out_the_same(shop: Shop, runtime: Runtime) -> None:
    with runtime.engine.begin() as connection:
        connection.execute(text("UPDATE items SET price = item_no, brand = left(title, 3)"))
    everything = shop.runtime(
        sources="queries:0.4,co_purchase:0.4,history_titles:0.2",
        min_price=5,
        max_per_brand=4,
        not_shown_days=3,
        max_unknown_fraction=0.9,
    )
    second = next_night(everything)
    found = replay(runtime.night_parts(), second, ReplayChanges())
    assert found.is_equal, found.differing_users
    assert diff_runs(runtime.engine, RUN, second).equal_lists < 40


def test_slices_and_deeper_searches_make_no_difference(
    shop: Shop, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = next_night(shop.runtime(depth=7))
    whole = replay(runtime.night_parts(), second, ReplayChanges(k=20))
    assert whole.searches > 0, "shares of 20 are beyond the stored depth"
    monkeypatch.setattr(replaying, "_SLICE", 7)
    again = replay(runtime.night_parts(), second, ReplayChanges(k=20))
    assert again.searches == 0
    assert again.lists == whole.lists


def test_reading_few_hits_at_first_makes_no_difference(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []

    def load(*args: Any) -> dict[int, SearchResult]:
        asked.append(args[-1])
        return load_searches(*args)

    monkeypatch.setattr(hits, "SPARE_HITS", 1 - 6)  # one hit of each
    monkeypatch.setattr(hits, "load_searches", load)
    found = replay(runtime.night_parts(), RUN, ReplayChanges())
    assert asked[:2] == [1, None], "most lists need more than the first hits"
    assert found.is_equal, found.differing_users
    assert found.searches == 0


def test_without_the_index_stored_searches_are_enough(runtime: Runtime, database: Database) -> None:
    with database.engine.begin() as connection:
        index = connection.execute(
            text("UPDATE builds SET state = 'deleted' RETURNING index_name")
        ).scalar_one()
    delete_index(runtime.elastic, index)
    assert replay(runtime.night_parts(), RUN, ReplayChanges()).is_equal
    with pytest.raises(ConflictError, match="gone from Elasticsearch"):
        replay(runtime.night_parts(), RUN, ReplayChanges(k1=2.0))


@pytest.fixture
def later(runtime: Runtime, database: Database) -> Database:
    """Add purchases after the night; the split ``later`` holds out each user's last one."""
    with database.engine.begin() as connection:
        add_purchases(connection, version=2, first_user=20, users=40)
        connection.execute(text("UPDATE catalog_state SET history_version = 2"))
    create_split(database.engine, "later", SplitOptions("leave-one-out"), actor="test")
    return database


def test_lists_are_measured_by_what_came_later(runtime: Runtime, later: Database) -> None:
    found = replay(runtime.night_parts(), RUN, ReplayChanges(num_queries=1), split="later")
    assert found.metrics is not None
    # Users without new purchases were left out: the night knew the last purchase.
    assert found.metrics.known_users > 0
    with later.engine.connect() as connection:
        recall, users = connection.execute(
            text("""
            SELECT avg(found), count(*) FROM (
                SELECT (SELECT count(*) FROM recommendations AS r
                        WHERE r.user_no = c.user_no AND r.item_no = ANY(c.targets)) AS found
                FROM split_eval_users AS c JOIN users USING (user_no)
                WHERE part = 'test' AND user_id >= 'u020') AS x
            """)
        ).one()
    by_name = {one.metric: one for one in found.metrics.metrics}
    assert found.metrics.users == users > 10
    assert 0 < by_name["recall"].a == pytest.approx(float(recall))
    assert by_name["recall"].gain == pytest.approx(by_name["recall"].b - by_name["recall"].a)
    assert by_name["recall"].low <= by_name["recall"].gain <= by_name["recall"].high
    assert by_name["recall"].gain != 0
    with later.analyst_engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT replay_metric, stored_mean FROM analytics.replay_metrics "
                "WHERE replay_id = :number AND split_name = 'later'"
            ),
            {"number": found.replay_no},
        ).all()
    assert {row[0]: row[1] for row in rows} == {name: one.a for name, one in by_name.items()}
    same = replay(runtime.night_parts(), RUN, ReplayChanges(), split="later").metrics
    assert same is not None
    assert {(one.gain, one.p_value) for one in same.metrics} == {(0.0, 1.0)}
    compared = diff_runs(runtime.engine, RUN, RUN, split="later").metrics
    assert compared == same


def test_what_the_night_knew_is_no_measure(runtime: Runtime, later: Database) -> None:
    second = next_night(runtime)
    with pytest.raises(UsageError, match="was unknown to the night"):
        replay(runtime.night_parts(), second, ReplayChanges(), split="later")
    with pytest.raises(UsageError, match="no split 'other'"):
        replay(runtime.night_parts(), RUN, ReplayChanges(), split="other")
    with pytest.raises(UsageError, match="Lists of 6 and of 3 items"):
        replay(runtime.night_parts(), RUN, ReplayChanges(k=3), split="later")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (ReplayChanges(k=0), "k is 0"),
        (ReplayChanges(k=100_000), "k is 100000, but .* holds only"),
        (ReplayChanges(num_queries=4), "has 3"),
        (ReplayChanges(num_queries=0), "Ask for 1 to 3"),
        (ReplayChanges(k1=-1.0), "k1 is -1"),
        (ReplayChanges(b=1.5), "b is 1.5"),
        (ReplayChanges(fusion={"history_decay": 2.0}), "A decay is 2"),
        (ReplayChanges(rules={"min_price": 3, "max_price": 2}), "limits of the price"),
    ],
)
def test_what_cannot_be_replayed(runtime: Runtime, changes: ReplayChanges, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replay(runtime.night_parts(), RUN, changes)


def test_runs_without_lists_are_refused(shop: Shop, runtime: Runtime) -> None:
    parts = runtime.night_parts()
    with pytest.raises(UsageError, match="no run 'other'"):
        replay(parts, "other", ReplayChanges())
    started = start_night(parts, runtime.night_options(), DAY + dt.timedelta(days=1))
    with pytest.raises(ConflictError, match="has no lists yet"):
        replay(parts, started.run.run_id, ReplayChanges())
    for day in (1, 2, 3):
        run_night(parts, runtime.night_options(), DAY + dt.timedelta(days=day))
    prune(parts, keep_published=1)
    with pytest.raises(ConflictError, match="were pruned"):
        replay(parts, RUN, ReplayChanges())


def test_the_command(
    shop: Shop,
    runtime: Runtime,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop.enter(monkeypatch)
    base = ["--env-file", "", "replay", RUN]
    assert run_cli([*base, "--verify"]) == 0
    assert "row by row" in capsys.readouterr().out
    assert run_cli([*base, "--k", "3", "--include-bought", "--json", "--dry-run"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["changed"] == {"k": [6, 3], "exclude_bought": [True, False]}
    assert (data["replay_no"], data["recommendations"]) == (None, 120)
    assert run_cli([*base, "--verify", "--k", "3"]) == 2
    assert run_cli([*base, "--sources", "queries:0.4,co_purchase:0.6", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"]["fusion"][0] is None
    assert run_cli([*base, "--sources", "luck"]) == 2
    assert run_cli([*base, "--split", "other"]) == 2
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE recommendations SET source = 'backfill' WHERE rank = 1"))
    capsys.readouterr()
    assert run_cli([*base, "--verify"]) == 3
    assert "the result DIFFERS from the run's" in capsys.readouterr().out
