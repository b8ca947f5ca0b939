"""Daily sums from a run's stored lists, and search of queries by words."""

import pytest
from sqlalchemy import Connection, text

from gpt4rec_es.db.rows import daily
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.analysts import find_queries
from tests.databases import Database
from tests.postgres.analyst_rows import add_three_nights


@pytest.fixture
def shop(database: Database) -> Database:
    with database.engine.begin() as connection:
        add_three_nights(connection)
    return database


def sums(connection: Connection, table: str, run_no: int) -> list[tuple[object, ...]]:
    found = connection.execute(
        text(f"SELECT * FROM {table} WHERE run_no = :run ORDER BY 1, 2, 3"), {"run": run_no}
    )
    return [tuple(row)[1:] for row in found]


def test_sums_are_those_of_the_lists_and_making_them_again_changes_nothing(
    shop: Database,
) -> None:
    with shop.engine.begin() as connection:
        connection.execute(text("UPDATE items SET brand = 'B', category = 'C' WHERE item_no = 3"))
        run = run_rows.load(connection, 2)
        for _ in range(2):
            daily.lock_sums(connection, run)
            daily.store_daily(connection, run)
            assert sums(connection, "daily_queries", 2) == [
                (1, 1, 1, True, False, 1),  # red: depth 50; a deeper search exists
                (2, 1, 2, False, False, 1),
                (3, 1, 0, False, False, 0),
                (4, 1, 0, False, True, 0),
            ]
            assert sums(connection, "daily_examples", 2) == [(3, 1, 1, 1)]
            assert sums(connection, "daily_items", 2) == [
                (1, 1, 0),
                (2, 1, 1),
                (3, 2, 0),
                (4, 1, 1),
            ]
            # i-4 is not active, i-5 has no title.
            assert sorted(sums(connection, "daily_coverage", 2)) == [
                ("all", "", 3, 3, 4),
                ("brand", "", 2, 2, 2),
                ("brand", "B", 1, 1, 2),
                ("category", "", 2, 2, 2),
                ("category", "C", 1, 1, 2),
            ]


def test_queries_of_few_users_can_be_left_out(shop: Database) -> None:
    with shop.engine.begin() as connection:
        connection.execute(text("UPDATE run_users SET prompt_no = 1 WHERE user_no = 3"))
        connection.execute(
            text("""UPDATE runs SET manifest = '{"daily_min_users": 2}' WHERE run_no = 2""")
        )
        daily.store_daily(connection, run_rows.load(connection, 2))
        kept = [row[:2] for row in sums(connection, "daily_queries", 2)]
        assert kept == [(1, 2), (3, 2)]


def test_examples_are_the_commonest_last_titles_of_at_most_three(shop: Database) -> None:
    with shop.engine.begin() as connection:
        # Users 1 to 6 share the prompt whose query finds nothing; last titles 3, 2, 2, 1, 4, none.
        connection.execute(
            text("INSERT INTO users (user_id) SELECT 'v-' || n FROM generate_series(4, 6) AS n")
        )
        connection.execute(text("DELETE FROM run_users WHERE run_no = 2"))
        connection.execute(
            text("""
            INSERT INTO run_users (run_no, user_no, prompt_no, item_nos, n_bought)
            SELECT 2, n, 1, (ARRAY['{1,3}', '{2}', '{3,2}', '{1}', '{4}', '{}'])[n]::int[], 1
            FROM generate_series(1, 6) AS n
            """)
        )
        daily.store_daily(connection, run_rows.load(connection, 2))
        assert sums(connection, "daily_examples", 2) == [(3, 1, 2, 2), (3, 2, 1, 4), (3, 3, 3, 1)]


def test_queries_are_found_by_their_words_with_users_and_hits(shop: Database) -> None:
    def found(words: str) -> list[tuple[object, ...]]:
        with shop.engine.connect() as connection:
            rows = find_queries(connection, words)
        return [(row.query, str(row.logical_date), row.users, row.hits) for row in rows]

    assert found("VASE") == [
        ("vase", "2026-11-22", 1, 2),
        ("blue vase", "None", None, None),
    ]
    assert [row[0] for row in found('"blue vase"')] == ["blue vase"]
    assert [row[0] for row in found("vase -blue")] == ["vase"]
    assert {row[0] for row in found("red or zeppelin")} == {"red", "zeppelin"}
    assert found("nothing") == found("!!!") == []
    with shop.engine.connect() as connection:
        (zeppelin,) = find_queries(connection, "zeppelin")
    assert (zeppelin.hits, zeppelin.example_titles) == (0, ["red lamp"])
    with shop.engine.connect() as connection:
        assert len(find_queries(connection, "red or vase", limit=2)) == 2


def test_words_are_looked_up_in_an_index(shop: Database) -> None:
    with shop.engine.begin() as connection:
        connection.execute(
            text("""
            INSERT INTO queries (query_hash, text)
            SELECT decode(md5(n::text), 'hex'), 'lamp' || n || ' shade' || n % 100
            FROM generate_series(1, 20000) AS n
            """)
        )
        connection.execute(text("SELECT analyze_table('queries')"))
    with shop.analyst_engine.connect() as connection:
        plan = "\n".join(
            connection.execute(
                text("""
                EXPLAIN (ANALYZE) SELECT query FROM analytics.queries
                WHERE query_words @@ websearch_to_tsquery('simple', 'shade7 lamp107')
                """)
            ).scalars()
        )
    assert "ix_queries_words" in plan
    assert "Seq Scan" not in plan
