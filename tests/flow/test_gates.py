"""Every gate stops a night with its defect, and passes a valid one."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from unittest.mock import ANY

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import Connection, text

from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.publish import gates
from gpt4rec_es.night.publish.checked import Checked
from gpt4rec_es.night.publish.list_gates import re_ranker_took_part
from tests.databases import Database
from tests.shop import Shop

DAY = dt.date(2026, 11, 22)


def sql(statement: str) -> Callable[[Connection, Elasticsearch, str], None]:
    def damage(connection: Connection, _elastic: Elasticsearch, _index: str) -> None:
        assert connection.execute(text(statement)).rowcount

    return damage


def delete_documents(_connection: Connection, elastic: Elasticsearch, index: str) -> None:
    elastic.indices.put_settings(index=index, settings={"index.blocks.write": None})
    DELETED.update(elastic.get(index=index, id="i001").body["_source"])
    elastic.delete(index=index, id="i001", refresh=True)


def other_bm25(_connection: Connection, elastic: Elasticsearch, index: str) -> None:
    set_k1(elastic, index, 0.5)


def other_bm25_of_brands(_connection: Connection, elastic: Elasticsearch, index: str) -> None:
    set_k1(elastic, index, 0.5, "brand_bm25")


def set_k1(elastic: Elasticsearch, index: str, k1: float, similarity: str = "catalog_bm25") -> None:
    elastic.indices.put_settings(
        index=index, settings={f"index.similarity.{similarity}.k1": k1}, reopen=True
    )
    # The response comes before the shards are reopened; until then every search returns 503.
    elastic.cluster.health(index=index, wait_for_status="yellow")


def use_reranker(connection: Connection) -> None:
    """Let the second run have a re-ranker that knows all items."""
    for statement in (
        """
        INSERT INTO rerankers
            (name, content_hash, path, gpt2, width, history_length, card, actor)
        VALUES ('r', 'h', '/there', 'gpt2', 3, 5, '{}', 'test')
        """,
        """
        INSERT INTO item_vectors (reranker_no, item_no, catalog_version, input_hash, vector)
        SELECT reranker_no, item_no, 1, '', '' FROM rerankers CROSS JOIN items
        """,
        """
        UPDATE runs SET reranker_no = r.reranker_no,
            manifest = manifest || '{"reranker": {"catalog_version": 1}}'
        FROM rerankers AS r WHERE run_no = 2
        """,
    ):
        connection.execute(text(statement))


def reranked(statement: str) -> Callable[[Connection, Elasticsearch, str], None]:
    def damage(connection: Connection, _elastic: Elasticsearch, _index: str) -> None:
        use_reranker(connection)
        connection.execute(text(statement))

    return damage


def one_list_for_all(connection: Connection, _elastic: Elasticsearch, _index: str) -> None:
    sql(
        "CREATE TEMP TABLE one ON COMMIT DROP AS SELECT * FROM recommendations "
        "WHERE run_no = 2 AND user_no = 7"
    )(connection, ANY, "")
    sql("DELETE FROM recommendations WHERE run_no = 2")(connection, ANY, "")
    sql(
        "INSERT INTO recommendations (run_no, user_no, rank, item_no, source) "
        "SELECT 2, users.user_no, rank, item_no, source FROM one CROSS JOIN "
        "(SELECT user_no FROM user_outcomes WHERE run_no = 2) AS users"
    )(connection, ANY, "")


# The document that ``delete_documents`` deleted.
DELETED: dict[str, Any] = {}
DEFECTS = {
    "a user without outcome": (
        "every_user_has_one_outcome",
        sql("DELETE FROM user_outcomes WHERE user_no = 7"),
    ),
    "an outcome of no cohort user": (
        "every_user_has_one_outcome",
        sql("DELETE FROM run_users WHERE user_no = 7"),
    ),
    "a list that lost its last row": (
        "every_user_has_one_outcome",
        sql("DELETE FROM recommendations WHERE user_no = 7 AND rank = 6"),
    ),
    "a list that lost a middle row": (
        "every_user_has_one_outcome",
        sql("DELETE FROM recommendations WHERE user_no = 7 AND rank = 3"),
    ),
    "failed users": (
        "few_users_failed",
        sql("UPDATE user_outcomes SET outcome = 'failed' WHERE user_no = 7"),
    ),
    "an item the build does not have": (
        "items_exist_and_are_active",
        sql(
            "WITH x AS (INSERT INTO items (item_id, version) VALUES ('new', 1) RETURNING item_no) "
            "UPDATE recommendations SET item_no = x.item_no FROM x WHERE user_no = 7 AND rank = 1"
        ),
    ),
    "no recommendation at all": (
        "items_exist_and_are_active",
        sql("DELETE FROM recommendations WHERE run_no = 2"),
    ),
    "no user with hits": (
        "lists_are_full",
        sql("UPDATE user_outcomes SET outcome = 'no_hits', n_found = 0 WHERE run_no = 2"),
    ),
    "many users without queries": (
        "few_fallbacks",
        sql(
            "UPDATE user_outcomes SET n_queries = 0 WHERE run_no = 2 AND user_no BETWEEN 11 AND 18"
        ),
    ),
    "many users without hits": (
        "few_fallbacks",
        sql(
            "UPDATE user_outcomes SET outcome = 'no_hits', n_found = 0 "
            "WHERE run_no = 2 AND user_no BETWEEN 11 AND 18"
        ),
    ),
    "lists that are mostly fallbacks": (
        "few_fallbacks",
        sql("UPDATE user_outcomes SET n_found = 4 WHERE run_no = 2 AND outcome = 'ok'"),
    ),
    "no user with a usable history": (
        "few_fallbacks",
        sql("UPDATE user_outcomes SET outcome = 'no_history' WHERE run_no = 2"),
    ),
    "short lists": (
        "lists_are_full",
        sql(
            "UPDATE user_outcomes SET n_found = 2, short_reason = 'exhausted_queries' "
            "WHERE user_no BETWEEN 7 AND 9"
        ),
    ),
    "an item that a rule keeps out": (
        "rules_are_kept",
        sql(
            """
            WITH x AS (UPDATE runs SET manifest = manifest || '{"rules": {}}' WHERE run_no = 2)
            INSERT INTO run_rules
            SELECT 2, 'rule 1', 'item', 'x', 'recalled', 1, ARRAY[item_no]
            FROM recommendations WHERE run_no = 2 LIMIT 1
            """
        ),
    ),
    "too many of a brand": (
        "rules_are_kept",
        sql(
            """
            WITH x AS (UPDATE runs SET manifest = manifest || '{"rules": {"max_per_brand": 5}}'
                       WHERE run_no = 2)
            INSERT INTO run_brands
            SELECT 2, 'acme', array_agg(DISTINCT item_no) FROM recommendations WHERE run_no = 2
            """
        ),
    ),
    "a re-ranker that scored nothing": (
        "re_ranker_took_part",
        reranked(
            """
            WITH y AS (INSERT INTO run_user_vectors SELECT run_no, user_no, '' FROM run_users)
            UPDATE recommendations SET fused_score = 1 WHERE run_no = 2
            """
        ),
    ),
    "a user that the re-ranker did not read": (
        "re_ranker_took_part",
        reranked(
            """
            WITH y AS (UPDATE recommendations SET fused_score = 1, rerank_score = 1
                       WHERE run_no = 2)
            INSERT INTO run_user_vectors
            SELECT run_no, user_no, '' FROM run_users WHERE run_no = 2 AND user_no <> 7
            """
        ),
    ),
    "a list with an item that its user bought": (
        "bought_items_are_left_out",
        sql(
            "INSERT INTO interactions (user_no, item_no, event_no, ordinal, version) "
            "SELECT user_no, item_no, 1, 1, 1 FROM recommendations "
            "WHERE run_no = 2 AND user_no = 7 AND rank = 1"
        ),
    ),
    "lists in reverse order": (
        "lists_are_merged_again",
        sql(
            """
            UPDATE recommendations SET rank = -rank WHERE run_no = 2;
            UPDATE recommendations SET rank = 7 + rank WHERE run_no = 2
            """
        ),
    ),
    "a score that is no number": (
        "scores_are_numbers",
        sql("UPDATE recommendations SET score = 'NaN' WHERE run_no = 2 AND user_no = 7"),
    ),
    "a query whose probability is no number": (
        "scores_are_numbers",
        sql("UPDATE generated_queries SET sum_logprob = 'NaN' WHERE rank = 1"),
    ),
    "the same list for everybody": ("lists_differ", one_list_for_all),
    "queries of one word": (
        "queries_are_readable",
        sql("UPDATE queries SET text = 'red red red red red red red'"),
    ),
    "queries of unknown words": (
        "queries_are_readable",
        sql("UPDATE queries SET text = 'qwxz ' || query_no"),
    ),
    "a source without effect": (
        "every_source_took_part",
        sql(
            """
            UPDATE runs SET manifest = manifest || '{"fusion": {"method": "learned",
                "weights": [["queries", 1], ["history_titles", 1]],
                "coefficients": {"title_recent": 1}}}' WHERE run_no = 2
            """
        ),
    ),
    "another list although nothing changed": (
        "lists_resemble_the_published",
        sql("DELETE FROM recommendations WHERE run_no = 2 AND user_no = 7 AND rank = 6"),
    ),
    "a truncated cohort": (
        "cohort_did_not_shrink",
        sql("UPDATE run_measures SET value = 60 WHERE run_no = 1 AND measure = 'cohort_users'"),
    ),
    "half of the catalog": (
        "catalog_did_not_shrink",
        sql("UPDATE items SET is_active = false WHERE item_no % 2 = 0"),
    ),
    "prices in cents": (
        "catalog_did_not_shrink",
        sql(
            "WITH x AS (UPDATE run_measures SET value = 2 WHERE measure = 'median_price') "
            "UPDATE items SET price = 200"
        ),
    ),
    "other titles in the catalog": (
        "build_has_the_catalog",
        sql("UPDATE items SET title = title || ' set'"),
    ),
    "a clock a day ahead": (
        "clock_is_right",
        sql("UPDATE run_measures SET value = 86400 WHERE measure = 'clock_ahead_s'"),
    ),
    "a document lost from the build": ("build_is_unchanged", delete_documents),
    "other k1 in the build": ("build_is_unchanged", other_bm25),
    "other k1 of brands in the build": ("build_is_unchanged", other_bm25_of_brands),
    "a newer run is published": (
        "is_newer_than_published",
        sql("UPDATE runs SET logical_date = '2026-11-01' WHERE run_no = 2"),
    ),
}


@pytest.fixture
def nights(shop: Shop, database: Database) -> run_rows.Run:
    """Two nights of which the second is checked."""
    runtime = shop.runtime()
    for day in (DAY, DAY + dt.timedelta(days=1)):
        run_night(runtime.night_parts(), runtime.night_options(), day)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE publications SET run_no = 1"))
        return run_rows.load(connection, 2)


def refused(connection: Connection, parts: NightParts) -> set[str]:
    run = run_rows.load(connection, 2)
    return {result.gate for result in gates.check(parts, connection, run).refused}


def test_gates(
    nights: run_rows.Run,
    shop: Shop,
    database: Database,
    elastic: Elasticsearch,
) -> None:
    # One pair of nights for all defects: each is undone before the next one.
    parts = shop.runtime().night_parts()
    assert refused_now(database, parts) == set()
    seen = set()
    for name, (gate, damage) in DEFECTS.items():
        with database.engine.connect() as connection, connection.begin() as undo:
            damage(connection, elastic, nights.index_name)
            found = refused(connection, parts)
            assert gate in found, name
            seen.add(gate)
            undo.rollback()
        if damage is delete_documents:
            restore(elastic, nights.index_name)
        if damage is other_bm25:
            set_k1(elastic, nights.index_name, 1.2)
        if damage is other_bm25_of_brands:
            set_k1(elastic, nights.index_name, 1.2, "brand_bm25")
    assert refused_now(database, parts) == set()
    # That one has a test of its own, test_held_out.py.
    judged = {gate.name for gate in gates.GATES} - {"hidden_purchases_are_found"}
    assert seen == judged, "a gate without a seeded defect"


def test_a_re_ranker_with_nothing_to_score(nights: run_rows.Run, database: Database) -> None:
    """It is no defect if no source filled a place, or if as few users lack a vector as may fail."""
    with database.engine.connect() as connection:
        use_reranker(connection)
        sql("UPDATE run_users SET newest_item_nos = '{}'")(connection, ANY, "")
        passed, measured, _ = took_part(connection)
        assert (passed, measured.startswith("0 of 0 users with purchases")) == (True, True)
        assert "no place has a fused score" in measured
        sql("UPDATE run_users SET newest_item_nos = '{1}' WHERE user_no < 11")(connection, ANY, "")
        sql("INSERT INTO run_user_vectors SELECT 2, n, '' FROM generate_series(2, 10) AS n")(
            connection, ANY, ""
        )
        passed, measured, required = took_part(connection)
        assert (passed, measured[:18], required[:13]) == (
            False,
            "1 of 10 users with",
            "at most 0.10%",
        )
        gates_ = "jsonb_set(manifest, '{gates,failed}', '0.1')"
        sql(f"UPDATE runs SET manifest = {gates_}")(connection, ANY, "")
        assert took_part(connection)[0]


def test_lists_that_cannot_be_merged_again_are_refused(
    nights: run_rows.Run, shop: Shop, database: Database
) -> None:
    parts = shop.runtime().night_parts()
    assert nights.run_no == 2
    assert "lists_are_merged_again" not in refused_now(database, parts)
    with database.owner_engine.begin() as connection:
        connection.execute(text("TRUNCATE generated_queries, generations CASCADE"))
    assert "lists_are_merged_again" in refused_now(database, parts)


def took_part(connection: Connection) -> tuple[bool, str, str]:
    checked = Checked(ANY, connection, run_rows.load(connection, 2), None)
    passed, measured, required, _ = re_ranker_took_part(checked)
    return passed, measured, required


def refused_now(database: Database, parts: NightParts) -> set[str]:
    with database.engine.connect() as connection:
        return refused(connection, parts)


def restore(elastic: Elasticsearch, index: str) -> None:
    """Put the deleted document back, so that the count is right again."""
    elastic.index(index=index, id="i001", document=DELETED, refresh=True)
