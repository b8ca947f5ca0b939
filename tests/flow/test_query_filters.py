"""Nights with query filters: removed and remaining queries, and no effect without filters."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.filters import frozen_filters
from gpt4rec_es.errors import DataError, GateError, UsageError
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inspect.status import run_status
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.options.lists import QueryFilters
from gpt4rec_es.retrieval.known_terms import count_unknown
from gpt4rec_es.retrieval.query_filters import PASSED, check_queries, filter_settings
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.shop import Shop, stored_rows

DAY = dt.date(2026, 11, 22)


def night(runtime: Runtime, days: int = 0) -> int:
    report = run_night(
        runtime.night_parts(), runtime.night_options(), DAY + dt.timedelta(days=days)
    )
    assert report.state == "published"
    with runtime.engine.connect() as connection:
        found = connection.execute(
            text("SELECT run_no FROM runs WHERE run_id = :id"), {"id": report.run_id}
        )
        return int(found.scalar_one())


def removed(database: Database, run_no: int) -> dict[str, tuple[str, str]]:
    with database.analyst_engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT query, removal_reason, removal_detail FROM analytics.removed_queries "
                "WHERE run_id = :run_id"
            ),
            {"run_id": f"nightly-2026-11-{22 + run_no - 1}-1"},
        )
        return {row.query: (row.removal_reason, row.removal_detail) for row in found}


def lists(database: Database, run_no: int) -> Any:
    with database.engine.connect() as connection:
        return stored_rows(connection, run_no)


@pytest.fixture
def phrases(tmp_path: Path) -> Path:
    path = tmp_path / "phrases.txt"
    path.write_text("# not shown\nRED Clock\n")
    return path


def test_forbidden_phrases_are_not_searched_for_and_say_so(
    shop: Shop, database: Database, phrases: Path
) -> None:
    plain = night(shop.runtime(gate_limits="full=0"))
    run = night(shop.runtime(gate_limits="full=0", forbidden_phrases_file=phrases), 1)
    gone = removed(database, run)
    assert gone
    assert set(gone.values()) == {("phrase", "RED Clock")}
    assert all("red clock" in query for query in gone)
    with database.engine.connect() as connection:
        status = run_status(connection, run_rows.find(connection, "latest"))
    assert status.removed_queries == {"phrase": len(gone)}
    assert removed(database, plain) == {}
    with database.engine.connect() as connection:
        used = connection.execute(
            text("""
            SELECT count(*) FROM recommendations JOIN queries USING (query_no)
            WHERE run_no = :run AND query_rank IS NOT NULL AND text LIKE '%red clock%'
            """),
            {"run": run},
        )
        assert used.scalar_one() == 0
        manifest = connection.execute(
            text("SELECT manifest -> 'filters' FROM runs WHERE run_no = :run"), {"run": run}
        ).scalar_one()
        assert manifest["n_phrases"] == 1
        assert len(manifest["phrases"]) == 32
        users = connection.execute(
            text("""
            SELECT DISTINCT user_id, g.n_queries, o.n_queries AS used FROM users
            JOIN run_users AS u USING (user_no)
            JOIN user_outcomes AS o ON o.run_no = u.run_no AND o.user_no = u.user_no
            JOIN generations AS g USING (prompt_no)
            JOIN generated_queries AS q USING (generation_no) JOIN queries USING (query_no)
            WHERE u.run_no = :run AND text LIKE '%red clock%'
            """),
            {"run": run},
        ).all()
    assert users
    for user in users:
        assert user.used == user.n_queries - 1
        explained = explain_user(database.engine, user.user_id)
        assert explained.equals_merge_now
        reasons = [q["removed_for"] for q in explained.queries]
        assert reasons.count("phrase: RED Clock") == 1
        given = [q for q in explained.queries if q["removed_for"]]
        assert [(q["items_given"], q["hits"]) for q in given] == [(0, 0)]


def test_what_passes_all_filters_gives_the_same_rows(
    shop: Shop, database: Database, tmp_path: Path
) -> None:
    nothing = tmp_path / "none.txt"
    nothing.write_text("submarine\n")
    plain = night(shop.runtime(refuse_repetition=False))
    run = night(
        shop.runtime(
            forbidden_phrases_file=nothing, catalog_scripts_only=True, max_unknown_fraction=0
        ),
        1,
    )
    assert lists(database, run) == lists(database, plain)
    with database.engine.connect() as connection:
        passed = connection.execute(
            text("SELECT count(*), count(reason) FROM query_verdicts")
        ).one()
        assert passed[0] > 20
        assert passed[1] == 0
        manifests = connection.execute(
            text("SELECT manifest ? 'filters' FROM runs ORDER BY run_no")
        )
        assert list(manifests.scalars()) == [False, True]


def test_users_without_a_query_left_get_fallbacks_and_it_is_said_why(
    shop: Shop, database: Database, tmp_path: Path
) -> None:
    everything = tmp_path / "everything.txt"
    everything.write_text("red\ngreen\nblue\n")
    runtime = shop.runtime(forbidden_phrases_file=everything)
    with pytest.raises(GateError, match="39 of 39 users with a prompt have no queries"):
        night(runtime)
    with database.engine.connect() as connection:
        reasons = connection.execute(
            text("""
            SELECT DISTINCT outcome, n_queries, short_reason FROM user_outcomes
            WHERE run_no = 1 AND outcome <> 'no_history'
            """)
        ).all()
    assert [tuple(row) for row in reasons] == [("empty_query", 0, "filtered_queries")]


_FALLBACKS = """
    SELECT u.user_no, text FROM run_users AS u LEFT JOIN queries ON query_no = last_query_no
    WHERE run_no = :run AND n_bought > 0
"""
_TITLES = "SELECT item_no, text FROM run_titles JOIN queries USING (query_no) WHERE run_no = :run"


def test_a_bought_title_with_a_forbidden_phrase_is_no_query_either(
    shop: Shop, database: Database, phrases: Path
) -> None:
    # One query per user, so that half-empty lists take their newest title.
    chosen = {"gate_limits": "full=0", "num_queries": 1, "sources": "queries,history_titles"}
    plain = night(shop.runtime(**chosen))
    run = night(shop.runtime(**chosen, forbidden_phrases_file=phrases), 1)
    fallbacks, titles = (
        {number: _texts(database, query, number) for number in (plain, run)}
        for query in (_FALLBACKS, _TITLES)
    )
    forbidden = {key for key, title in fallbacks[plain].items() if "red clock" in str(title)}
    assert forbidden
    for user_no, title in fallbacks[run].items():
        assert "red clock" not in str(title)
        if user_no not in forbidden:
            assert title == fallbacks[plain][user_no]
    assert any(fallbacks[run][user_no] is not None for user_no in forbidden)
    assert titles[run] == {
        item: title for item, title in titles[plain].items() if "red clock" not in str(title)
    }
    assert len(titles[run]) < len(titles[plain])


def _texts(database: Database, query: str, run_no: int) -> dict[int, str | None]:
    with database.engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(text(query), {"run": run_no})}


def test_the_next_run_asks_nothing_again_and_a_changed_list_everything(
    shop: Shop, database: Database, phrases: Path
) -> None:
    runtime = shop.runtime(gate_limits="full=0", forbidden_phrases_file=phrases)
    first, second = night(runtime), night(runtime, 1)
    assert removed(database, first) == removed(database, second)
    with database.engine.connect() as connection:
        shards = connection.execute(
            text("SELECT count(*) FROM shards WHERE run_no = :run AND stage = 'search'"),
            {"run": second},
        )
        assert shards.scalar_one() == 0
    phrases.write_text("teapot\n")
    third = night(runtime, 2)
    assert set(removed(database, third).values()) == {("phrase", "teapot")}


def test_foreign_scripts_and_words_that_no_title_has(shop: Shop, database: Database) -> None:
    night(shop.runtime())
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE items SET title = 'красный чайник', is_active = false WHERE item_no = 1")
        )
        # No new version of the catalog, so the index keeps the old titles.
        connection.execute(text("UPDATE items SET title = 'flurble gnork red' WHERE item_no = 16"))
        connection.execute(
            text("""
            INSERT INTO interactions (user_no, item_no, event_no, ordinal, version)
            SELECT user_no, item_no, 999, 999, 1 FROM users, items
            WHERE user_no IN (3, 4) AND item_no IN (1, 16) ON CONFLICT DO NOTHING
            """)
        )
    runtime = shop.runtime(
        gate_limits="full=0", catalog_scripts_only=True, max_unknown_fraction=0.5
    )
    with pytest.raises(GateError, match="build has the catalog"):
        night(runtime, 1)
    assert removed(database, 2) == {
        "красный чайник": ("script", "Cyrillic"),
        "flurble gnork red": ("unknown", "2 of 3 terms"),
    }


def test_terms_are_those_of_the_index(shop: Shop) -> None:
    runtime = shop.runtime()
    night(runtime)
    with runtime.engine.connect() as connection:
        index = connection.execute(text("SELECT index_name FROM builds")).scalar_one()
    found = count_unknown(
        runtime.elastic,
        index,
        ["red clock", "Red gnork", "gnork, flurble: gnork", "!!!", *["red"] * 300],
    )
    assert found[:5] == [(0, 2), (1, 2), (2, 2), (0, 0), (0, 1)]
    assert len(found) == 304
    with runtime.engine.begin() as connection:
        connection.execute(text("UPDATE items SET brand = 'Gnork', description = 'flurble'"))
        connection.execute(text("UPDATE catalog_state SET catalog_version = catalog_version + 1"))
    described = ensure_current(
        runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test"
    ).index_name
    for name, fields, expected in (
        (index, ["brand", "description"], (2, 2)),
        (described, [], (2, 2)),
        (described, ["brand"], (1, 2)),
        (described, ["brand", "description"], (0, 2)),
    ):
        assert count_unknown(runtime.elastic, name, ["gnork flurble"], fields) == [expected]
    runtime.elastic.indices.delete(index=index)
    with pytest.raises(DataError, match="no such index"):
        count_unknown(runtime.elastic, index, ["red"])
    with pytest.raises(DataError, match="no such index"):
        count_unknown(runtime.elastic, index, ["red"], ["brand"])


def test_a_term_of_a_searched_brand_is_known(shop: Shop, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE items SET brand = 'Gnork'"))
    filters, fields = QueryFilters(max_unknown_fraction=0.4), (("brand", 0.5),)
    runtime = shop.runtime()
    night(runtime)
    index = ensure_current(
        runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test"
    ).index_name
    with database.engine.begin() as connection:
        plain = filter_settings(connection, filters, index)
        searched = filter_settings(connection, filters, index, fields)
        assert filter_settings(connection, QueryFilters(), index, fields).keys() == plain.keys()
    assert searched == {**plain, "fields": ["brand"]}
    for settings, verdict in ((plain, ("unknown", "1 of 2 terms")), (searched, PASSED)):
        frozen = frozen_filters(0, (), settings)
        assert check_queries(frozen, runtime.elastic, ["gnork clock"]) == [verdict]


def test_a_file_that_cannot_be_read_stops_nights_before_they_begin(
    shop: Shop, tmp_path: Path
) -> None:
    runtime = shop.runtime(forbidden_phrases_file=tmp_path / "missing.txt")
    with pytest.raises(UsageError, match="GPT4REC_FORBIDDEN_PHRASES_FILE"):
        runtime.night_options()
