"""User ids in the analysts' views while pseudonyms are on, and after."""

import pytest
from sqlalchemy import text

from gpt4rec_es.privacy.pseudonyms import has_pseudonyms, set_pseudonyms
from tests.databases import Database
from tests.postgres.analyst_rows import add_three_nights


@pytest.fixture(params=["interactions", "users"])
def shop(database: Database, request: pytest.FixtureRequest) -> Database:
    """Three nights, and a reject of an import of either kind that names users."""
    with database.engine.begin() as connection:
        add_three_nights(connection)
        connection.execute(
            text(
                "UPDATE imports SET kind = :kind; "
                "UPDATE import_rejects SET excerpt = 'u-1,,', reason = 'u-1 is too long'"
            ),
            {"kind": request.param},
        )
    return database


def seen(shop: Database, name: str) -> set[str]:
    """Return the views and columns in which the analyst finds ``name``."""
    with shop.analyst_engine.connect() as connection:
        columns = connection.execute(
            text("""
            SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
            WHERE relnamespace = 'analytics'::regnamespace AND attnum > 0
            """)
        ).all()
        return {
            f"{view}.{column}"
            for view, column in columns
            if connection.execute(
                text(
                    f"SELECT EXISTS (SELECT FROM analytics.{view} WHERE {column}::text ~ :pattern)"
                ),
                {"pattern": rf"(^|\W){name}($|\W)"},
            ).scalar_one()
        }


def shown_ids(shop: Database) -> list[str]:
    with shop.analyst_engine.connect() as connection:
        found = connection.execute(
            text("SELECT user_id FROM analytics.users ORDER BY first_imported_at, user_id")
        )
        return list(found.scalars())


def test_no_view_shows_an_id_while_pseudonyms_are_on(shop: Database) -> None:
    before = seen(shop, "u-1")
    assert before >= {"users.user_id", "recommendations.user_id", "rejects.excerpt"}
    assert not has_pseudonyms(shop.owner_engine)
    assert set_pseudonyms(shop.owner_engine, is_on=True, actor="test") == 3
    assert has_pseudonyms(shop.owner_engine)
    assert seen(shop, "u-1") == set()
    hidden = shown_ids(shop)
    assert len(set(hidden)) == 3
    assert all(len(one) == 33 for one in hidden)
    assert set_pseudonyms(shop.owner_engine, is_on=False, actor="test") == 3
    assert seen(shop, "u-1") == before
    set_pseudonyms(shop.owner_engine, is_on=True, actor="test")
    assert shown_ids(shop) == hidden, "the keys stay"
    with shop.engine.connect() as connection:
        acts = connection.execute(
            text("SELECT after FROM audit WHERE action = 'pseudonyms' ORDER BY audit_no")
        )
        assert [row.after for row in acts] == [{"is_on": on} for on in (True, False, True)]


def test_users_imported_later_have_a_pseudonym(shop: Database) -> None:
    set_pseudonyms(shop.owner_engine, is_on=True, actor="test")
    with shop.engine.begin() as connection:
        connection.execute(text("INSERT INTO users (user_id) VALUES ('u-4')"))
        connection.execute(text("UPDATE users SET user_id = 'u-5' WHERE user_id = 'u-1'"))
    assert len(set(shown_ids(shop))) == 4
    assert seen(shop, "u-[0-9]") == set()
    set_pseudonyms(shop.owner_engine, is_on=False, actor="test")
    assert set(shown_ids(shop)) == {"u-2", "u-3", "u-4", "u-5"}


def test_views_find_one_user_by_an_index(shop: Database) -> None:
    with shop.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO users (user_id) SELECT 'v-' || n FROM generate_series(1, 5000) AS n")
        )
        connection.execute(text("SELECT analyze_table('users')"))
    with shop.analyst_engine.connect() as connection:
        plan = "\n".join(
            connection.execute(
                text("EXPLAIN SELECT * FROM analytics.latest_recommendations WHERE user_id = 'u-2'")
            ).scalars()
        )
    assert "uq_users_shown_id" in plan
