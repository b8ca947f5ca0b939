"""Erasing a user from every table that has users, texts and sums included."""

import pytest
from sqlalchemy import text

from gpt4rec_es.privacy.forget import forget_user
from tests.databases import Database
from tests.postgres.analyst_rows import add_three_nights


@pytest.fixture
def shop(database: Database) -> Database:
    with database.engine.begin() as connection:
        add_three_nights(connection)
        connection.execute(text("UPDATE runs SET state = 'cancelled' WHERE run_no = 3"))
        connection.execute(
            text("""
            INSERT INTO shards (run_no, stage, members)
            VALUES (2, 'merge', '{1,2,3}'), (2, 'search', '{1,2,3}'), (2, 'embed', '{1,2}');
            INSERT INTO run_user_vectors VALUES (2, 1, '\\x01'), (2, 2, '\\x02');
            UPDATE daily_examples SET user_no = 2
            """)
        )
    return database


def rows_of(shop: Database, user_no: int) -> dict[str, int]:
    """Return table -> rows of the user, for every table with user numbers, partitions too."""
    with shop.engine.connect() as connection:
        tables = connection.execute(
            text("""
            SELECT table_name FROM information_schema.columns
            WHERE table_schema = 'public' AND column_name = 'user_no'
            """)
        ).scalars()
        return {
            table: connection.execute(
                text(f"SELECT count(*) FROM {table} WHERE user_no = :no"), {"no": user_no}
            ).scalar_one()
            for table in tables
        }


def test_every_table_with_users_is_gone_through(shop: Database) -> None:
    before, others = rows_of(shop, 2), rows_of(shop, 1)
    with_rows = {table for table, n in before.items() if n}
    assert with_rows >= {
        *("users", "run_users_1", "run_users_3", "user_outcomes_2", "recommendations_2"),
        "run_user_vectors_2",
        *("split_train", "split_eval_users", "trial_queries", "evaluation_lists", "daily_examples"),
    }
    report = forget_user(shop.engine, "u-2", actor="test")
    assert set(rows_of(shop, 2).values()) == {0}
    assert rows_of(shop, 1) == others
    assert report.rows["run_users"] == 3
    with shop.engine.connect() as connection:
        members = connection.execute(
            text("SELECT stage || ': ' || members::text FROM shards ORDER BY shard_no")
        )
        # Members of the stage search are queries.
        assert list(members.scalars()) == [
            *("search: {3}", "merge: {1,3}", "merge: {1}"),
            *("merge: {1,3}", "search: {1,2,3}", "embed: {1}"),
        ]
        sizes = connection.execute(text("SELECT cohort_size FROM runs ORDER BY run_no"))
        assert list(sizes.scalars()) == [2, 2, 2]


def test_texts_that_others_need_stay_and_sums_of_several_users_too(shop: Database) -> None:
    with shop.engine.begin() as connection:
        # The daily sums count several users of 'vase', of which only one is stored.
        connection.execute(text("UPDATE daily_queries SET n_users = 5 WHERE query_no = 2"))
    forget_user(shop.engine, "u-2", actor="test")
    with shop.engine.connect() as connection:
        # '!!!' was the user's only; another generator generated 'blue vase' for prompt 1.
        assert list(connection.execute(text("SELECT text FROM queries ORDER BY 1")).scalars()) == [
            "blue vase",
            "red",
            "vase",
            "zeppelin",
        ]
        assert list(connection.execute(text("SELECT text FROM prompts")).scalars()) == ["red lamp"]
        kept = connection.execute(text("SELECT DISTINCT query_no FROM daily_queries ORDER BY 1"))
        assert list(kept.scalars()) == [1, 2, 3]
        searched = connection.execute(text("SELECT DISTINCT query_no FROM searches ORDER BY 1"))
        assert list(searched.scalars()) == [1, 2, 3, 5]
