"""Tests of the fixtures: a used database must be like a new one for the next test."""

import pytest
from sqlalchemy import text

from tests.databases import Cluster, Database
from tests.postgres.analyst_rows import add_three_nights


def rows_of(database: Database) -> dict[str, int]:
    with database.owner_engine.connect() as connection:
        names = connection.execute(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                "AND relkind IN ('r', 'p')"
            )
        ).scalars()
        return {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()
            for name in names.all()
        }


def test_a_used_database_comes_back_empty_under_another_name(
    cluster: Cluster, template_database: str
) -> None:
    used = cluster.create(template_database)
    empty = rows_of(used)
    with used.engine.begin() as connection:
        add_three_nights(connection)
        connection.execute(text("UPDATE catalog_state SET catalog_version = 5"))
    abandoned = used.engine.connect()  # like a worker that is still running after its test
    cluster.drop(used)
    again = cluster.create(template_database)
    try:
        assert again.name != used.name
        assert rows_of(again) == empty
        with again.engine.begin() as connection:
            user = "INSERT INTO users (user_id) VALUES ('u') RETURNING user_no"
            assert connection.execute(text(user)).scalar_one() == 1
            state = connection.execute(text("SELECT * FROM catalog_state")).one()
            assert tuple(state) == (True, 0, 0)
        with pytest.raises(Exception, match=r"does not exist|terminat|closed"):
            abandoned.execute(text("SELECT 1"))
    finally:
        cluster.drop(again)


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE stray (a int)",
        "ALTER TABLE items ADD COLUMN stray int",
        "CREATE INDEX ON items (brand)",
        "DROP VIEW analytics.rejects",
        "GRANT SELECT ON items TO gpt4rec_analyst",
        "COMMENT ON COLUMN items.title IS 'stray'",
        "COMMENT ON SCHEMA analytics IS 'stray'",
        "UPDATE alembic_version SET version_num = '0001'",
        "ALTER TABLE items ALTER COLUMN is_active DROP DEFAULT",
        "ALTER TABLE items ALTER COLUMN is_active SET DEFAULT false",
        "ALTER TABLE runs DROP CONSTRAINT ck_runs_state",
        """DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW analytics.rejects AS ' ||
            rtrim(pg_get_viewdef('analytics.rejects'::regclass), ';') || ' LIMIT 1'; END $$""",
    ],
)
def test_a_database_with_another_schema_is_not_used_again(
    cluster: Cluster, template_database: str, change: str
) -> None:
    used = cluster.create(template_database)
    with used.owner_engine.begin() as connection:
        connection.execute(text(change))
    cluster.drop(used)
    with cluster.admin.connect() as connection:
        left = connection.execute(
            text("SELECT count(*) FROM pg_database WHERE datname = :name"), {"name": used.name}
        )
        assert left.scalar_one() == 0
