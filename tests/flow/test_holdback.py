"""A holdback gives a stable share of users other lists; all other lists are as without it."""

import datetime as dt

import pytest
from sqlalchemy import text

from gpt4rec_es.cli.why import print_explanation
from gpt4rec_es.cli.why_item import print_item
from gpt4rec_es.db.rows.page_index import RUNS, TWO_RUNS
from gpt4rec_es.db.rows.readings import read
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.replay.changes import ReplayChanges
from gpt4rec_es.lab.replay.replay import replay
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.night.inspect.why_item import explain_item
from gpt4rec_es.night.plan import plan_run
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.shop import Shop

DAY = dt.date(2026, 11, 22)
RUN = "nightly-2026-11-23-1"
LISTS = """
    SELECT user_id, array_agg(item_id || ' ' || source ORDER BY rank) AS listed
    FROM analytics.recommendations WHERE run_id = :run GROUP BY user_id
"""
ARMS = "SELECT user_id, holdback_arm, outcome FROM analytics.user_outcomes WHERE run_id = :run"


@pytest.fixture
def runtime(shop: Shop) -> Runtime:
    """A night without holdback, and one with it."""
    plain = shop.runtime()
    run_night(plain.night_parts(), plain.night_options(), DAY)
    runtime = shop.runtime(holdback="k:paper=0.1,popularity=0.2,none=0.2")
    run_night(runtime.night_parts(), runtime.night_options(), DAY + dt.timedelta(days=1))
    return runtime


def test_held_back_users_get_other_lists_and_the_others_their_own(
    runtime: Runtime, database: Database
) -> None:
    with database.analyst_engine.connect() as connection:
        before = dict(
            connection.execute(text(LISTS), {"run": "nightly-2026-11-22-1"}).tuples().all()
        )
        lists = dict(connection.execute(text(LISTS), {"run": RUN}).tuples().all())
        found = connection.execute(text(ARMS), {"run": RUN}).all()
    arms = {row.user_id: row.holdback_arm for row in found}
    assert {row.outcome for row in found if row.holdback_arm in {"popularity", "none"}} == {
        "held_back"
    }
    assert set(arms.values()) == {None, "paper", "popularity", "none"}
    for user, arm in arms.items():
        if arm == "none":
            assert user not in lists
        elif arm == "popularity":
            assert len(lists[user]) == 6
            assert {one.split()[1] for one in lists[user]} == {"popular"}
        else:  # the shop's recipe is the paper's
            assert lists[user] == before[user]
    for user, arm in arms.items():
        explained = explain_user(database.engine, user, RUN)
        assert explained.arm == arm
        assert explained.equals_merge_now
        assert (explained.outcome == "held_back") == (arm in {"popularity", "none"})
    assert replay(runtime.night_parts(), RUN, ReplayChanges()).differing_rows == 0


def test_explanations_say_that_the_arm_decided(
    shop: Shop, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor do fused sources explain a list, or the lack of an item, that they did not make."""
    runtime = shop.runtime(
        holdback="k:paper=0.1,popularity=0.2,none=0.2", sources="queries:1,history_titles:1"
    )
    run_night(runtime.night_parts(), runtime.night_options(), DAY)
    run = "nightly-2026-11-22-1"
    with database.analyst_engine.connect() as connection:
        arms = {
            row.holdback_arm: row.user_id for row in connection.execute(text(ARMS), {"run": run})
        }
    for arm, said in (
        ("paper", "a plain merge of its queries"),
        ("popularity", "popular items"),
        ("none", "no list"),
    ):
        explained = explain_user(database.engine, arms[arm], run)
        assert explained.equals_merge_now
        assert not any(row["contributions"] for row in explained.recommendations)
        print_explanation(explained.as_dict())
        assert f"in arm {arm}: {said} instead" in capsys.readouterr().out
        reasons = set()
        for item in range(1, 61):
            found = explain_item(database.engine, arms[arm], f"i{item:03d}", run)
            assert found.fused is None
            reasons.add(found.reason)
            print_item(found.as_dict())
        assert f"in arm {arm}: {said} instead" in capsys.readouterr().out
        assert ("held_back" in reasons) == (arm != "paper")
        assert ("listed" in reasons) == (arm != "none")


def test_gates_leave_held_back_users_out(runtime: Runtime, database: Database) -> None:
    with database.engine.connect() as connection:
        overlap = connection.execute(
            text("SELECT value, n FROM run_measures WHERE run_no = 2 AND measure = 'overlap'")
        ).one()
        others = connection.execute(
            text("""
            SELECT (SELECT cohort_size FROM runs WHERE run_no = 2)
                 - (SELECT count(*) FROM holdback_users WHERE run_no = 2)
            """)
        ).scalar_one()
        places = connection.execute(
            text("SELECT max(n) FROM run_measures WHERE run_no = 2 AND measure LIKE 'source_pl%'")
        ).scalar_one()
        listed = connection.execute(
            text("""
            SELECT count(*) FROM recommendations LEFT JOIN holdback_users USING (run_no, user_no)
            WHERE run_no = 2 AND arm IS NULL AND source NOT IN ('pinned', 'last_title', 'popular')
            """)
        ).scalar_one()
    assert tuple(overlap) == (1, others), "the lists of all others are as before"
    assert places == listed


def test_changes_and_fallbacks_of_pages_leave_held_back_users_out(
    runtime: Runtime, database: Database
) -> None:
    with database.analyst_engine.connect() as connection:
        others = connection.execute(
            text(
                "SELECT count(*) FROM analytics.user_outcomes "
                "WHERE run_id = :run AND holdback_arm IS NULL"
            ),
            {"run": RUN},
        ).scalar_one()
        view = connection.execute(
            text(
                "SELECT compared_user_count, changed_user_count FROM analytics.list_changes "
                "WHERE run_id = :run"
            ),
            {"run": RUN},
        ).one()
        ids = {"run_id": RUN, "other_id": "nightly-2026-11-22-1"}
        (both,) = read(connection, TWO_RUNS, ids).dicts()
        held, plain = read(connection, RUNS, {"runs": 9}).dicts()
    assert tuple(view) == (others, 0)
    assert (both["compared"], both["changed"]) == (others, 0)
    assert held["fallbacks"] == plain["fallbacks"] == 0, "popular items of an arm are none"
    assert 0 < held["places"] < plain["places"]


def test_arms_depend_on_key_and_user_alone(
    runtime: Runtime, shop: Shop, database: Database
) -> None:
    wider = shop.runtime(holdback="k:paper=0.1,popularity=0.4")
    other = shop.runtime(holdback="another:paper=0.1,popularity=0.2,none=0.2")
    for days, planned in enumerate((runtime, wider, other), start=2):
        run_night(planned.night_parts(), planned.night_options(), DAY + dt.timedelta(days=days))
    with database.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT run_no, user_no, arm FROM holdback_users ORDER BY 1, 2")
        ).all()
        manifest = connection.execute(
            text("SELECT manifest -> 'holdback' FROM runs WHERE run_no = 2")
        ).scalar_one()
    by_run = {n: {(u, arm) for run_no, u, arm in rows if run_no == n} for n in range(2, 6)}
    assert by_run[2] == by_run[3] != by_run[5]
    assert {u for u, arm in by_run[4] if arm == "paper"} == {
        u for u, arm in by_run[2] if arm == "paper"
    }
    assert {u for u, _ in by_run[4]} == {u for u, _ in by_run[2]}
    assert manifest == {"key": "k", "arms": {"paper": 0.1, "popularity": 0.2, "none": 0.2}}


def test_without_queries_there_is_no_arm_of_the_paper(shop: Shop, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE generators SET is_current = false"))
    runtime = shop.runtime(holdback="k:paper=0.1", sources="co_purchase:1")
    with pytest.raises(UsageError, match="the arm paper, but no queries"):
        plan_run(runtime.night_parts(), runtime.night_options(), DAY)
