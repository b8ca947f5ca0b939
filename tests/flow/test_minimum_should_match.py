"""Nights whose queries need more than one term: separate stored searches.

The shop's queries are titles of three words, so each text is searched in both roles: as a query,
and as the newest title of a user whose queries find too few items.
"""

import datetime as dt
from collections.abc import Callable

import pytest
from sqlalchemy import text

from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.lab.replay.changes import ReplayChanges
from gpt4rec_es.lab.replay.replay import replay
from gpt4rec_es.night.inprocess import NightReport, run_night
from gpt4rec_es.night.inspect.status import run_status
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.options.lists import SearchOptions
from tests.databases import Database
from tests.shop import Shop, stored_rows

DAY = dt.date(2026, 11, 22)
Night = Callable[..., NightReport]


@pytest.fixture
def night(shop: Shop) -> Night:
    """Return a function that runs nights of one date, each with its own settings."""
    days = iter(range(100))

    def run(**settings: object) -> NightReport:
        runtime = shop.runtime(k=20, gate_limits="full=0 fallbacks=1 top_item=1", **settings)
        day = DAY + dt.timedelta(days=next(days))
        return run_night(runtime.night_parts(), runtime.night_options(), day)

    return run


def searches(database: Database, options_no: int) -> dict[str, tuple[int, ...]]:
    with database.engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT text, item_nos FROM searches JOIN queries USING (query_no) "
                "WHERE options_no = :no"
            ),
            {"no": options_no},
        )
        return {row.text: tuple(row.item_nos) for row in found}


def lists(database: Database, run_no: int) -> list[tuple[object, ...]]:
    with database.engine.connect() as connection:
        return stored_rows(connection, run_no)


def test_it_is_another_search_of_the_same_query(
    shop: Shop, database: Database, night: Night
) -> None:
    night()
    before = searches(database, 0)
    with_two = night(minimum_should_match="2")
    found = searches(database, 1)
    assert with_two.searches == len(found) == len(before)
    retriever = shop.runtime().retriever(index_of(database), "test")
    for texts, options in ((before, SearchOptions()), (found, SearchOptions("2"))):
        results = retriever.search(list(texts), 60, options)
        assert [result.item_nos for result in results] == list(texts.values())
    assert all(set(found[query]) < set(before[query]) for query in found)
    assert lists(database, 1) != lists(database, 2)
    # Earlier searches are still stored, and so are the new ones.
    assert searches(database, 0) == before
    assert night().searches == night(minimum_should_match=" +2 ").searches == 0
    assert lists(database, 3) == lists(database, 1)
    assert lists(database, 4) == lists(database, 2)


def index_of(database: Database) -> str:
    with database.engine.connect() as connection:
        return str(connection.execute(text("SELECT index_name FROM builds")).scalar_one())


def test_only_nights_that_have_it_name_it(database: Database, night: Night) -> None:
    night()
    night(minimum_should_match="2")
    with database.engine.connect() as connection:
        named = connection.execute(
            text("SELECT manifest -> 'search_options' FROM runs ORDER BY run_no")
        )
        assert list(named.scalars()) == [None, {"minimum_should_match": "2"}]
        status = run_status(connection, run_rows.find(connection, "latest"))
        assert status.minimum_should_match == "2"
    with database.analyst_engine.connect() as connection:
        shown = connection.execute(
            text("SELECT minimum_should_match FROM analytics.runs ORDER BY logical_date")
        )
        assert list(shown.scalars()) == ["1", "2"]
        hits = connection.execute(
            text("""
            SELECT minimum_should_match, count(*) > count(DISTINCT query_id),
                count(*) = count(DISTINCT (query_id, hit_rank))
            FROM analytics.query_hits GROUP BY 1 ORDER BY 1
            """)
        ).all()
        assert [tuple(row) for row in hits] == [("1", True, True), ("2", True, True)]


def test_each_recommendation_joins_to_the_hit_it_comes_from(
    database: Database, night: Night
) -> None:
    night()
    night(minimum_should_match="2", sources="queries,history_titles", query_hits=9)
    with database.analyst_engine.connect() as connection:
        found, joined = connection.execute(
            text("""
            SELECT (SELECT count(*) FROM analytics.recommendations WHERE query_id IS NOT NULL),
                (SELECT count(*) FROM analytics.recommendations
                 JOIN analytics.query_hits USING (index_name, query_id, minimum_should_match,
                    search_fields, hit_rank, item_id, score))
            """)
        ).one()
    assert found == joined > 500


def test_queries_that_find_nothing_under_it_are_gaps_of_its_night_alone(
    database: Database, night: Night
) -> None:
    night()
    # Titles have three words: of queries of more than two, four must match.
    night(minimum_should_match="2<4")
    with database.analyst_engine.connect() as connection:
        for view in ("zero_hit_queries", "daily_gaps"):
            found = connection.execute(
                text(f"SELECT run_id, count(*) AS n FROM analytics.{view} GROUP BY 1")
            ).all()
            assert [tuple(row) for row in found] == [
                ("nightly-2026-11-23-1", len(searches(database, 1)))
            ]
    with database.engine.connect() as connection:
        rows = connection.execute(
            text("""
            SELECT source, outcome, short_reason, count(*)
            FROM recommendations JOIN user_outcomes USING (run_no, user_no)
            WHERE run_no = 2 AND outcome <> 'no_history' GROUP BY 1, 2, 3
            """)
        ).all()
    # Newest titles, which serve as a fallback, need one term only.
    assert {(row.source, row.outcome) for row in rows} == {("last_title", "no_hits")}


def test_a_night_with_it_comes_out_the_same_again(
    shop: Shop, database: Database, night: Night
) -> None:
    plain = night()
    report = night(minimum_should_match="2", sources="queries,history_titles", query_hits=20)
    parts = shop.runtime().night_parts()
    again = replay(parts, report.run_id, ReplayChanges())
    assert again.is_equal
    assert again.searches == 0
    other = replay(parts, plain.run_id, ReplayChanges(search={"minimum_should_match": "-1"}))
    assert other.changed == {"search_options": [None, {"minimum_should_match": "-1"}]}
    assert other.searches == len(searches(database, 2)) > 0
    back = replay(parts, report.run_id, ReplayChanges(search={"minimum_should_match": None}))
    assert not back.is_equal
    assert back.searches == 0
    with database.analyst_engine.connect() as connection:
        kept = connection.execute(
            text("SELECT minimum_should_match FROM analytics.replays ORDER BY replay_id")
        )
        assert list(kept.scalars()) == ["2", "-1", "1"]


def test_shallow_searches_are_deepened_by_the_same_options(
    database: Database, night: Night
) -> None:
    night(minimum_should_match="2", sources="queries,history_titles")
    night(minimum_should_match="2", sources="queries,history_titles", depth=2)
    assert lists(database, 1) == lists(database, 2)
    with database.engine.connect() as connection:
        depths = connection.execute(
            text("SELECT options_no, depth FROM searches GROUP BY 1, 2 HAVING count(*) > 1")
        )
        assert {(0, 8), (1, 8)} <= {tuple(row) for row in depths}


def test_why_shows_the_hits_of_its_run(database: Database, night: Night) -> None:
    plain = night().run_id
    night(minimum_should_match="2", sources="queries,history_titles")
    for user in ("u003", "u014", "u029"):
        now, then = explain_user(database.engine, user), explain_user(database.engine, user, plain)
        assert now.equals_merge_now
        assert then.equals_merge_now
        assert now.search_options == {"minimum_should_match": "2"}
        assert then.search_options == {}
        assert [q["query"] for q in now.queries] == [q["query"] for q in then.queries]
        assert sum(q["hits"] for q in now.queries) < sum(q["hits"] for q in then.queries)
