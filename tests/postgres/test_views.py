import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.lab.tuning.lists.space import Setting
from tests.databases import Database
from tests.postgres.analyst_rows import add_three_nights

RUN_1, RUN_2, RUN_3 = (f"nightly-2026-11-2{n}-1" for n in (1, 2, 3))


@pytest.fixture(scope="module")
def shop(module_database: Database) -> Database:
    with module_database.engine.begin() as connection:
        add_three_nights(connection)
    return module_database


def select(shop: Database, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a statement run by the analyst."""
    with shop.analyst_engine.connect() as connection:
        connection.execute(text("SET search_path = analytics"))
        return [tuple(row) for row in connection.execute(text(statement))]


def test_users_and_items_show_the_shops_ids(shop: Database) -> None:
    assert select(shop, "SELECT user_id FROM users ORDER BY 1") == [("u-1",), ("u-2",), ("u-3",)]
    assert select(
        shop,
        "SELECT item_id, title, raw_title, price, is_active, has_title, is_trainable "
        "FROM items WHERE item_id IN ('i-1', 'i-4', 'i-5') ORDER BY 1",
    ) == [
        ("i-1", "red lamp", "red  lamp", Decimal("9.50"), True, True, True),
        ("i-4", "old vase", "old vase", Decimal("5.00"), False, True, True),
        ("i-5", None, None, None, True, False, False),
    ]


def test_runs_show_what_they_were_made_with(shop: Database) -> None:
    rows = select(
        shop,
        "SELECT run_id, logical_date::text, run_state, is_published, published_at IS NOT NULL, "
        "cohort_size, k, first_depth, num_queries, num_beams, dtype, generator_name, "
        "generator_hash, index_name, k1, b, manifest_hash, duration_s FROM runs ORDER BY 1",
    )
    common = (3, 2, 50, 2, 4, "fp32", "tiny", "hash-tiny")
    assert rows == [
        (RUN_1, "2026-11-21", "published", False, False, *common, "items-a", 1.2, 0.75, "ab", 90),
        (RUN_2, "2026-11-22", "published", True, True, *common, "items-b", 0.9, 0.3, "ab", 90),
        (RUN_3, "2026-11-23", "merging", False, False, *common, "items-b", 0.9, 0.3, "ab", None),
    ]


def test_stages_and_lists_are_counted_by_run(shop: Database) -> None:
    stages = "stage, shard_count, member_count, stage_duration_s"
    assert select(shop, f"SELECT {stages} FROM run_stages ORDER BY stage_finished_at") == [
        ("search", 1, 1, 30),
        ("merge", 1, 3, 30),
    ]
    assert select(
        shop, "SELECT stage, work_name, work_detail, work_count FROM run_work ORDER BY work_name"
    ) == [("merge", "pinned", "rule 2", 3), ("merge", "removed", "rule 1", 17)]
    lengths = "run_id, listed_item_count, is_full_list, list_user_count, found_place_count"
    assert select(shop, f"SELECT {lengths} FROM list_lengths ORDER BY 1, 2") == [
        (RUN_1, 1, False, 1, 1),
        (RUN_2, 1, False, 1, 0),
        (RUN_2, 2, True, 2, 2),
    ]
    assert select(shop, "SELECT * FROM holdback_arms")[0][2:] == ("popularity", 1, 1)


def test_changes_are_against_the_newest_earlier_night(shop: Database) -> None:
    changes = select(shop, "SELECT * FROM list_changes ORDER BY 1")
    # User 1 alone has lists in runs 1 and 2: item 1, then items 2 and 3. Run 3 is unfinished.
    assert [row[0] for row in changes] == [RUN_2]
    assert changes[0][2:] == (RUN_1, 1, 1, 0, 2, 1)


@pytest.mark.parametrize(
    ("view", "partitions"),
    [
        ("list_lengths", {"user_outcomes_2"}),
        ("holdback_arms", {"user_outcomes_2"}),
        ("list_changes", {"recommendations_1", "recommendations_2"}),
    ],
)
def test_counts_of_a_run_read_its_partitions_only(
    shop: Database, view: str, partitions: set[str]
) -> None:
    statement = f"SELECT * FROM {view} WHERE run_id = '{RUN_2}'"
    assert read_partitions(shop, statement) == partitions


def test_co_purchases_are_those_counted_last(shop: Database) -> None:
    assert select(shop, "SELECT * FROM co_purchases ORDER BY 3") == [
        ("i-1", "red lamp", 1, "i-2", "red shade", 0.5),
        ("i-1", "red lamp", 2, "i-3", "blue vase", 0.25),
    ]


def test_rules_say_how_often_they_kept_an_item_out(shop: Database) -> None:
    assert select(
        shop,
        "SELECT run_id, rule_value, blocked_item_count, removed_count "
        "FROM run_rules JOIN block_rules USING (rule, rule_kind, rule_value, rule_reason)",
    ) == [(RUN_2, "acme", 3, 17)]


def test_settings_of_a_trial_show_every_option_that_is_searched(shop: Database) -> None:
    columns = {
        name
        for (name,) in select(
            shop,
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = 'analytics' AND table_name = 'list_trial_settings'",
        )
    }
    options = {field.name for field in fields(Setting)} | {
        "has_reranker",
        "has_sequence",
        "has_vectors",
    }
    assert not {name for name in options if not {name, f"setting_{name}"} & columns}
    assert select(
        shop,
        "SELECT setting_num_queries, query_decay, history, has_reranker FROM list_trial_settings",
    ) == [(10, 0.85, 40, False)]


def test_promotions_say_how_often_they_placed_an_item(shop: Database) -> None:
    assert select(
        shop,
        "SELECT run_id, rule_action, rule_value, promoted_places, promoted_item_count, "
        "listed_count "
        "FROM run_promotions JOIN promotion_rules "
        "USING (rule, rule_action, rule_kind, rule_value, promoted_places, rule_reason)",
    ) == [(RUN_2, "pin", "i-1", 1, 1, 3)]


def test_runs_without_fusion_have_queries_as_their_source(shop: Database) -> None:
    assert select(shop, "SELECT * FROM run_sources WHERE run_id LIKE '%22-1'") == [
        (RUN_2, date(2026, 11, 22), "queries", 1.0, None)
    ]


def test_generated_queries_are_those_of_the_runs_generator_and_decoding(shop: Database) -> None:
    queries = [
        ("u-1", 1, "red", -0.75),
        ("u-1", 2, "zeppelin", -2.0),
        ("u-2", 1, "vase", -1.0),
        ("u-2", 2, "!!!", -1.0),
    ]
    columns = "user_id, query_rank, query, beam_score"
    for run in (RUN_1, RUN_2, RUN_3):
        assert queries == select(
            shop, f"SELECT {columns} FROM generated_queries WHERE run_id = '{run}' ORDER BY 1, 2"
        )
    latest = select(shop, f"SELECT run_id, {columns} FROM latest_generated_queries ORDER BY 2, 3")
    assert latest == [(RUN_2, *row) for row in queries]


def test_recommendations_know_the_query_hit_and_index(shop: Database) -> None:
    columns = (
        "run_id, user_id, rank, item_id, title, source, is_fallback, query, query_rank, "
        "hit_rank, score, index_name"
    )
    first = (RUN_1, "u-1", 1, "i-1", "red lamp", "queries", False, "red", 1, 1, 0.5, "items-a")
    nothing = (None, None, None, None)
    second = [
        ("u-1", 1, "i-2", "red shade", "queries", False, "red", 1, 2, 0.4),
        ("u-1", 2, "i-3", "blue vase", "popular", True, *nothing),
        ("u-2", 1, "i-4", "old vase", "queries", False, "vase", 1, 2, 1.25),
        ("u-2", 2, "i-3", "blue vase", "last_title", True, "blue vase", None, 1, 2.0),
        ("u-3", 1, "i-1", "red lamp", "popular", True, *nothing),
    ]
    second = [(RUN_2, *row, "items-b") for row in second]
    assert select(
        shop,
        f"SELECT {columns} FROM recommendations WHERE run_id <> '{RUN_3}' ORDER BY 1, 2, 3",
    ) == [first, *second]
    # i-4 was deactivated after publishing.
    assert select(shop, f"SELECT {columns} FROM latest_recommendations ORDER BY 1, 2, 3") == [
        row for row in second if row[3] != "i-4"
    ]


def test_a_recommendation_joins_to_its_query_and_hit_by_using(shop: Database) -> None:
    assert select(
        shop,
        "SELECT user_id, item_id, beam_score, k1 FROM recommendations "
        "JOIN generated_queries USING (run_id, user_id, query_rank, query_id) "
        "JOIN query_hits USING (index_name, query_id, minimum_should_match, search_fields, "
        "encoder_hash, "
        "hit_rank, item_id, score) "
        "JOIN index_builds USING (index_name) "
        f"WHERE run_id = '{RUN_2}' ORDER BY 1, 2",
    ) == [("u-1", "i-2", -0.75, pytest.approx(0.9)), ("u-2", "i-4", -1.0, pytest.approx(0.9))]


def test_query_hits_come_from_the_deepest_search_of_each_build(shop: Database) -> None:
    assert select(
        shop,
        "SELECT index_name, query, hit_rank, item_id, title, score, search_depth, is_exhausted "
        "FROM query_hits ORDER BY index_name, query_id, hit_rank",
    ) == [
        ("items-a", "red", 1, "i-1", "red lamp", 0.5, 50, False),
        ("items-a", "vase", 1, "i-1", "red lamp", 0.1, 50, False),
        ("items-b", "red", 1, "i-1", "red lamp", 0.6, 200, True),
        ("items-b", "red", 2, "i-2", "red shade", 0.4, 200, True),
        ("items-b", "vase", 1, "i-3", "blue vase", 1.5, 50, True),
        ("items-b", "vase", 2, "i-4", "old vase", 1.25, 50, True),
        ("items-b", "blue vase", 1, "i-3", "blue vase", 2.0, 50, True),
    ]


def test_zero_hit_queries_count_users_and_tell_empty_ones_apart(shop: Database) -> None:
    found = select(
        shop,
        "SELECT run_id, query, is_empty_query, user_count FROM zero_hit_queries ORDER BY 1, 2",
    )
    # Run 1 searched the other build, in which these were never searched.
    assert found == [
        (run, query, is_empty, 1)
        for run in (RUN_2, RUN_3)
        for query, is_empty in (("!!!", True), ("zeppelin", False))
    ]


def test_weakly_matched_queries_have_a_best_hit_with_few_of_their_words(shop: Database) -> None:
    weak = "SELECT run_id, query, query_term_count, matched_term_count, best_item_id, best_title, "
    weak += "weak_user_count FROM weakly_matched_queries ORDER BY 1, 2"
    # Run 1 found a lamp for "vase"; "red" has its only word in "red lamp".
    assert select(shop, weak) == [(RUN_1, "vase", 1, 0, "i-1", "red lamp", 1)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("red lamp", None),
        ("Red oak", None),
        ("red oak door", (3, 1)),
        ("door door lamp", None),
        ("door of door lamp", (3, 1)),
    ],
)
def test_half_of_the_distinct_words_are_a_match(
    database: Database, query: str, found: tuple[int, int] | None
) -> None:
    with database.engine.begin() as connection:
        add_three_nights(connection)
        connection.execute(text("UPDATE queries SET text = :q WHERE text = 'red'"), {"q": query})
    rows = select(
        database,
        "SELECT query_term_count, matched_term_count FROM weakly_matched_queries "
        f"WHERE run_id = '{RUN_2}'",
    )
    assert rows == ([] if found is None else [found])


def test_conversions_are_purchases_after_a_published_run_within_28_days(
    database: Database,
) -> None:
    with database.engine.begin() as connection:
        add_three_nights(connection)
        connection.execute(
            text("""
            INSERT INTO interactions (user_no, item_no, event_no, event_at, version) VALUES
                (1, 2, 1, '2026-11-21 00:00+00', 2), (1, 2, 2, '2026-12-21 00:00+00', 2),
                (2, 4, 1, '2026-12-20 02:01:30+00', 2), (2, 3, 1, NULL, 2),
                (1, 1, 9, '2026-11-26', 2)
            """)
        )
    found = "SELECT run_id, user_id, item_id, converted_at::date::text, days_to_conversion "
    # Item 1 is bought twice; item 2 before the run and too late; of item 3 no time is known.
    assert select(database, found + "FROM recommendation_conversions") == [
        (RUN_1, "u-1", "i-1", "2026-11-24", 2.0)
    ]
    assert len(select(database, "SELECT * FROM purchases")) == 6


def test_index_builds_say_which_one_is_live(shop: Database) -> None:
    assert select(
        shop,
        "SELECT index_name, build_kind, parent_index_name, build_state, is_live, k1 "
        "FROM index_builds ORDER BY 1",
    ) == [
        ("items-a", "full", None, "ready", False, 1.2),
        ("items-b", "derived", "items-a", "ready", True, 0.9),
        ("items-c", "full", None, "building", False, 0.9),
    ]


def test_outcomes_gates_and_rejects(shop: Database) -> None:
    assert select(
        shop,
        "SELECT run_id, user_id, outcome, bought_item_count, prompt_item_count, query_count, "
        "found_count, recommendation_count FROM user_outcomes "
        f"WHERE run_id = '{RUN_2}' ORDER BY 2",
    ) == [
        (RUN_2, "u-1", "ok", 1, 1, 2, 1, 2),
        (RUN_2, "u-2", "ok", 2, 1, 2, 1, 2),
        (RUN_2, "u-3", "no_history", 0, 0, 0, 0, 1),
    ]
    assert select(shop, "SELECT run_id, gate, has_passed FROM gate_results") == [
        (RUN_2, "failed_users", True)
    ]
    assert select(
        shop,
        "SELECT import_kind, import_state, file_name, line_number, reason_code, excerpt "
        "FROM rejects",
    ) == [("items", "done", "a.csv", 7, "no_id", ",,")]


def test_before_the_first_publication_the_latest_views_are_empty(database: Database) -> None:
    for view in ("latest_recommendations", "latest_generated_queries", "zero_hit_queries"):
        assert select(database, f"SELECT * FROM {view}") == []


def test_the_same_column_has_the_same_type_in_every_view(shop: Database) -> None:
    assert (
        select(
            shop,
            "SELECT attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
            "WHERE relnamespace = 'analytics'::regnamespace AND attnum > 0 "
            "GROUP BY 1 HAVING count(DISTINCT (atttypid, attcollation)) > 1",
        )
        == []
    )


def test_a_recipe_has_its_sources_and_whether_it_is_live(shop: Database) -> None:
    columns = "recipe_name, is_live_recipe, recipe_sources, fusion_method, recipe_num_queries"
    assert select(shop, f"SELECT {columns}, trial_id FROM recipes") == [
        ("mine", True, "queries:0.5, co_purchase:1", "scores", 2, 2)
    ]
    assert select(shop, "SELECT recipe_name, is_shipped FROM recipe_uses") == [("mine", False)]


def test_a_name_is_shared_by_views_only_where_it_means_the_same(shop: Database) -> None:
    shared = select(
        shop,
        "SELECT attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
        "WHERE relnamespace = 'analytics'::regnamespace AND attnum > 0 "
        "AND relname NOT LIKE 'latest_%' GROUP BY 1 HAVING count(*) > 1",
    )
    # Other shared names would be ambiguous after a join.
    assert {name for (name,) in shared} == {
        *("run_id", "logical_date", "user_id", "item_id", "title"),
        *("query_id", "query", "query_rank", "hit_rank", "score", "index_name", "k1", "b"),
        *("brand", "category", "split_name", "part", "trial_id", "replay_id", "evaluation_id"),
        *("rule", "rule_kind", "rule_value", "rule_reason", "recipe_name", "recipe_hash"),
        *("rule_action", "promoted_places", "stage"),
        *(
            "minimum_should_match",
            "search_fields",
            "encoder_hash",
            "list_age_days",
            "list_length",
            "holdback_arm",
        ),
    }


def read_partitions(shop: Database, statement: str) -> set[str]:
    """Return the partitions that ``statement`` reads, by EXPLAIN ANALYZE."""
    with shop.analyst_engine.connect() as connection:
        connection.execute(text("SET search_path = analytics"))
        plan = connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")).scalar_one()

    def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield node
        for child in node.get("Plans", ()):
            yield from nodes(child)

    found = plan if isinstance(plan, list) else json.loads(plan)
    return {
        node["Relation Name"]
        for node in nodes(found[0]["Plan"])
        if node.get("Relation Name", "").rsplit("_", 1)[-1].isdigit() and node["Actual Loops"] > 0
    }


@pytest.mark.parametrize(
    ("statement", "partitions"),
    [
        ("SELECT * FROM latest_recommendations", {"recommendations_2"}),
        ("SELECT * FROM latest_recommendations WHERE user_id = 'u-2'", {"recommendations_2"}),
        ("SELECT * FROM latest_generated_queries", {"run_users_2"}),
        ("SELECT query, count(*) FROM latest_generated_queries GROUP BY 1", {"run_users_2"}),
        (
            "SELECT * FROM latest_recommendations JOIN latest_generated_queries USING (user_id)",
            {"recommendations_2", "run_users_2"},
        ),
    ],
)
def test_latest_views_read_the_partitions_of_the_published_run_only(
    shop: Database, statement: str, partitions: set[str]
) -> None:
    assert read_partitions(shop, statement) == partitions


def test_sums_of_queries_are_read_without_their_texts(shop: Database) -> None:
    with shop.analyst_engine.connect() as connection:
        connection.execute(text("SET search_path = analytics"))
        statement = "EXPLAIN SELECT query_id, query_user_count FROM daily_queries"
        plan = "\n".join(connection.execute(text(statement)).scalars())
    assert "on daily_queries" in plan
    assert "on queries" not in plan


def test_the_plan_check_sees_partitions_that_are_read(shop: Database) -> None:
    everything = read_partitions(shop, "SELECT count(*) FROM recommendations")
    assert everything == {"recommendations_1", "recommendations_2", "recommendations_3"}
