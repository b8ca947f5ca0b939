"""Views belong to no revision: an upgrade creates the code's views."""

import re
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.db import analytics, migrate
from gpt4rec_es.db.revision import revisions
from gpt4rec_es.errors import ConflictError
from tests.databases import Database

ROOT = Path(__file__).parents[2]
FILES = sorted(analytics.FOLDER.glob("*.sql"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a copy of the view definitions, which the code reads in the test."""
    copy = shutil.copytree(analytics.FOLDER, tmp_path / "views")
    monkeypatch.setattr(analytics, "FOLDER", copy)
    return copy


def execute(database: Database, *statements: str) -> None:
    with database.owner_engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def views(database: Database) -> dict[str, str]:
    """Return definition, privileges and comments of each view."""
    with database.owner_engine.connect() as connection:
        found = connection.execute(
            text("""
            SELECT relname, concat_ws(' ', pg_get_viewdef(c.oid), relacl, obj_description(c.oid),
                (SELECT string_agg(concat_ws(' ', attname, col_description(c.oid, attnum)), ' '
                    ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid)) AS shown
            FROM pg_class AS c
            WHERE relnamespace = 'analytics'::regnamespace AND relkind = 'v'
            """)
        )
        return {row.relname: row.shown for row in found}


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_file_makes_the_view_of_its_name_and_comments_its_columns(
    module_database: Database, file: Path
) -> None:
    sql = file.read_text()
    name = f"analytics.{file.stem}"
    assert re.findall(r"^CREATE VIEW (\S+)", sql, re.MULTILINE) == [name]
    assert re.findall(r"^COMMENT ON VIEW (\S+)", sql, re.MULTILINE) == [name]
    with module_database.engine.connect() as connection:
        columns = connection.execute(
            text(
                "SELECT attname FROM pg_attribute WHERE attrelid = cast(:name AS regclass) "
                "AND attnum > 0 ORDER BY attnum"
            ),
            {"name": name},
        ).scalars()
        expected = [f"{name}.{column}" for column in columns]
    assert re.findall(r"^COMMENT ON COLUMN (\S+)", sql, re.MULTILINE) == expected
    assert max(map(len, sql.splitlines())) <= 100


def test_there_is_a_view_for_each_file_and_no_other(module_database: Database) -> None:
    assert sorted(views(module_database)) == [file.stem for file in FILES]
    assert len(FILES) >= 34


def test_a_changed_definition_is_made_by_the_next_upgrade(database: Database, folder: Path) -> None:
    before = views(database)
    file = folder / "users.sql"
    file.write_text(file.read_text().replace("One row per user.", "A user at 12:30 (:x, 5%) each."))
    assert not migrate.current(database.owner_url).is_current
    assert migrate.check(database.owner_url) == [
        "the views of schema analytics are not those of the code"
    ]
    assert migrate.upgrade(database.owner_url).is_current
    after = views(database)
    assert "A user at 12:30 (:x, 5%) each." in after.pop("users")
    del before["users"]
    assert after == before
    assert migrate.check(database.owner_url) == []
    with database.analyst_engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM analytics.users")).all() == []


def test_printed_sql_makes_changed_views(database: Database, folder: Path) -> None:
    file = folder / "users.sql"
    file.write_text(file.read_text().replace("One row per user.", "A user at 12:30 (:x, 5%) each."))
    sql = migrate.upgrade_sql(database.owner_url)
    assert not migrate.current(database.owner_url).is_current, "printing executes nothing"
    with database.owner_engine.connect() as connection:
        connection.connection.cursor().execute(sql)
        connection.connection.commit()
    assert migrate.current(database.owner_url).is_current
    assert "A user at 12:30 (:x, 5%) each." in views(database)["users"]
    assert migrate.upgrade_sql(database.owner_url) == ""


@pytest.mark.parametrize(
    "change",
    [
        "DROP VIEW analytics.rejects",
        "DROP VIEW analytics.users, analytics.runs",
        "DROP SCHEMA analytics CASCADE",
        "CREATE VIEW analytics.stray AS SELECT 1 AS one",
        "CREATE VIEW analytics.stray AS SELECT * FROM analytics.users",
        "COMMENT ON SCHEMA analytics IS NULL",
    ],
)
def test_missing_views_come_back_and_others_go(database: Database, change: str) -> None:
    before = views(database)
    execute(database, change)
    assert not migrate.current(database.owner_url).is_current
    assert migrate.upgrade(database.owner_url).is_current
    assert views(database) == before


def test_views_that_are_current_are_left_alone(database: Database) -> None:
    oids = "SELECT sum(oid::bigint) FROM pg_class WHERE relnamespace = 'analytics'::regnamespace"
    with database.owner_engine.connect() as connection:
        before = connection.execute(text(oids)).scalar_one()
        connection.rollback()
        migrate.upgrade(database.owner_url)
        assert connection.execute(text(oids)).scalar_one() == before


def test_objects_that_depend_on_a_view_are_named_and_nothing_changes(
    database: Database, folder: Path
) -> None:
    (folder / "users.sql").write_text((folder / "users.sql").read_text() + "-- changed\n")
    execute(
        database,
        "CREATE SCHEMA shop",
        "CREATE VIEW shop.mine AS SELECT * FROM analytics.users",
        "CREATE VIEW shop.nights AS SELECT run_id FROM analytics.runs",
        "DROP VIEW analytics.rejects",
    )
    before = views(database)
    with pytest.raises(ConflictError) as caught:
        migrate.upgrade(database.owner_url)
    (line,) = str(caught.value).splitlines()
    assert "view shop.mine depends on view analytics.users" in line
    assert "view shop.nights depends on view analytics.runs" in line
    assert "Drop these objects, run it again" in line
    assert views(database) == before
    assert not migrate.current(database.owner_url).has_views
    execute(database, "DROP VIEW shop.mine, shop.nights")
    assert migrate.upgrade(database.owner_url).is_current


def test_views_are_made_in_the_order_in_which_they_read_each_other(
    database: Database, folder: Path
) -> None:
    for name, reads in (("a_first", "z_last"), ("z_last", "users")):
        (folder / f"{name}.sql").write_text(
            f"CREATE VIEW analytics.{name} (user_id) AS SELECT user_id FROM analytics.{reads};\n"
        )
    names = list(analytics.definitions())
    assert names.index("users") < names.index("z_last") < names.index("a_first")
    assert migrate.upgrade(database.owner_url).is_current
    assert {"a_first", "z_last"} < set(views(database))


REVISION = """
from alembic import op

revision = "9999"
down_revision = "HEAD"


def upgrade() -> None:
    op.execute("DROP VIEW analytics.block_rules, analytics.promotion_rules")
    op.execute("ALTER TABLE block_rules RENAME actor TO added_by")
"""


def test_a_revision_and_the_views_of_it_are_one_transaction(
    database: Database, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    head = revisions()[-1]
    (migrations / "versions" / "9999_names.py").write_text(REVISION.replace("HEAD", head))
    monkeypatch.setattr(migrate, "resource_path", lambda *_parts: migrations / "env.py")
    with pytest.raises(Exception, match='column "actor" does not exist'):
        migrate.upgrade(database.owner_url)
    assert migrate.current(database.owner_url).revision == head
    assert "block_rules" in views(database)
    for name in ("block_rules", "promotion_rules"):
        file = folder / f"{name}.sql"
        file.write_text(file.read_text().replace(" actor,", " added_by,"))
    assert migrate.upgrade(database.owner_url).revision == "9999"
    assert "added_by" in views(database)["block_rules"]
    assert migrate.current(database.owner_url).is_current
