import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import IntegrityError

from gpt4rec_es.db import migrate
from gpt4rec_es.db.checks import PARTITIONED
from gpt4rec_es.db.engine import make_engine, normalise_url
from gpt4rec_es.db.revision import revisions
from gpt4rec_es.db.tables import metadata
from gpt4rec_es.errors import ConflictError, DependencyError, UsageError
from tests.databases import Cluster, Database
from tests.rows import add_run

ROOT = Path(__file__).parents[2]


def admin_url(cluster: Cluster, database: Database) -> str:
    return cluster.admin.url.set(database=database.name).render_as_string(hide_password=False)


def alembic(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """Start the alembic command in the checkout's root, without further options."""
    return subprocess.Popen(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def done(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


def scalars(engine: Engine, statement: str) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text(statement)).scalars())


@pytest.fixture
def admin(cluster: Cluster, empty_database: Database) -> Iterator[Engine]:
    engine = make_engine(admin_url(cluster, empty_database), application_name="tests admin")
    yield engine
    engine.dispose()


def test_alembic_upgrade_head_works_in_the_checkout_and_two_at_once_wait_for_each_other(
    cluster: Cluster, empty_database: Database
) -> None:
    url = admin_url(cluster, empty_database)
    both = [
        alembic("upgrade", "head", GPT4REC_OWNER_DATABASE_URL=url),
        alembic("-x", f"url={url}", "upgrade", "head"),
    ]
    for process in both:
        done(process)
    assert "No new upgrade operations" in done(alembic("-x", f"url={url}", "check"))
    assert migrate.current(url).is_current


def test_in_the_alembic_command_only_an_upgrade_makes_views(database: Database) -> None:
    with database.owner_engine.begin() as connection:
        connection.execute(text("COMMENT ON SCHEMA analytics IS 'other'"))
    for command in (["current"], ["check"], ["stamp", "head"], ["upgrade", "head", "--sql"]):
        output = done(alembic("-x", f"url={database.owner_url}", *command))
        assert not migrate.current(database.owner_url).has_views, command
    assert "CREATE VIEW analytics.users" in output
    done(alembic("-x", f"url={database.owner_url}", "upgrade", "head"))
    assert migrate.current(database.owner_url).is_current


def test_up_down_and_up_again(cluster: Cluster, empty_database: Database) -> None:
    url = admin_url(cluster, empty_database)
    assert migrate.current(url).revision is None
    assert migrate.upgrade(url).is_current
    with empty_database.engine.begin() as connection:
        connection.execute(text("SELECT create_run_partitions(1)"))
    assert migrate.downgrade(url, "base").revision is None
    left = scalars(
        empty_database.owner_engine,
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'S') "
        "AND relnamespace::regnamespace::text IN ('public', 'analytics') "
        "UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    )
    assert left == ["alembic_version"]
    assert migrate.upgrade(url).is_current
    assert migrate.check(url) == []


def test_lists_of_before_can_be_read_and_downgraded_with_promotions(
    cluster: Cluster, empty_database: Database
) -> None:
    url = admin_url(cluster, empty_database)
    migrate.upgrade(url, "0104")
    row = "INSERT INTO recommendations (run_no, user_no, rank, item_no, source) VALUES "
    with empty_database.owner_engine.begin() as connection:
        connection.execute(text("SELECT create_run_partitions(1)"))
        connection.execute(text(row + "(1, 1, 1, 1, 'popular')"))
    migrate.upgrade(url)
    with empty_database.owner_engine.begin() as connection:
        connection.execute(text("SELECT create_run_partitions(2)"))
        connection.execute(text(row + "(1, 1, 2, 2, 'pinned'), (2, 1, 1, 2, 'pinned')"))
        connection.execute(
            text(
                "INSERT INTO block_rules (kind, value, reason, actor, action, places) "
                "VALUES ('item', 'i-1', 'x', 'ann', 'pin', 1), ('item', 'i-1', 'x', 'ann', "
                "'block', NULL)"
            )
        )
    stored = "SELECT source, promoted_by FROM recommendations ORDER BY 1"
    with empty_database.owner_engine.connect() as connection:
        found = [tuple(one) for one in connection.execute(text(stored))]
    assert found == [("pinned", None), ("pinned", None), ("popular", None)]
    migrate.downgrade(url, "0104")
    assert scalars(empty_database.owner_engine, "SELECT source FROM recommendations") == ["popular"]
    assert scalars(empty_database.owner_engine, "SELECT count(*) FROM block_rules") == [1]


def test_a_run_that_makes_vectors_is_cancelled_by_a_downgrade(
    cluster: Cluster, empty_database: Database
) -> None:
    url = admin_url(cluster, empty_database)
    migrate.upgrade(url)
    with empty_database.owner_engine.begin() as connection:
        add_run(connection, state="embedding")
        connection.execute(
            text("INSERT INTO shards (run_no, stage, members) VALUES (1, 'embed', '{1}')")
        )
    migrate.downgrade(url, "0105")
    assert scalars(empty_database.owner_engine, "SELECT state FROM runs") == ["cancelled"]
    with empty_database.engine.begin() as connection:
        connection.execute(text("SELECT create_run_partitions(2)"))
    # Partitions of before lack the new table until the next run.
    migrate.upgrade(url)
    assert migrate.check(url) == []
    with empty_database.engine.begin() as connection:
        connection.execute(text("SELECT create_run_partitions(2), drop_run_partitions(1)"))
    names = "SELECT relname FROM pg_class WHERE relname ~ '^run_user_vectors_[0-9]+$'"
    assert scalars(empty_database.owner_engine, names) == ["run_user_vectors_2"]


def test_checks_are_replaced_without_reading_kept_lists_and_validated_later(
    cluster: Cluster, empty_database: Database
) -> None:
    """In the transaction that replaces a check nobody can read lists, so it must be short."""
    versions = ROOT / "migrations" / "versions"
    tables = "|".join(PARTITIONED)
    for file in versions.glob("[0-9]*.py"):
        added = rf"ALTER TABLE (ONLY )?({tables})\b[^;]*ADD CONSTRAINT"
        assert not re.search(added, file.read_text(encoding="utf-8")), f"{file}: see db/checks.py"
    url = admin_url(cluster, empty_database)
    migrate.upgrade(url, "0104")
    with empty_database.owner_engine.begin() as connection:
        connection.execute(text("SELECT create_run_partitions(1)"))
    unchecked = "SELECT DISTINCT conname FROM pg_constraint WHERE NOT convalidated ORDER BY 1"
    migrate.upgrade(url, "0115")
    replaced = ["ck_recommendations_source", "ck_user_outcomes_outcome"]
    assert scalars(empty_database.owner_engine, unchecked) == replaced
    odd = "INSERT INTO recommendations (run_no, user_no, rank, item_no, source) VALUES "
    with empty_database.owner_engine.begin() as connection, pytest.raises(IntegrityError):
        connection.execute(text(odd + "(1, 1, 1, 1, 'odd')"))
    migrate.upgrade(url)
    assert scalars(empty_database.owner_engine, unchecked) == []


def test_the_printed_sql_does_what_the_upgrade_does(
    cluster: Cluster, empty_database: Database, admin: Engine
) -> None:
    url = admin_url(cluster, empty_database)
    sql = migrate.upgrade_sql(url)
    assert migrate.current(url).revision is None, "printing executes nothing"
    with admin.connect() as connection:
        connection.connection.cursor().execute(sql)
        connection.connection.commit()
    assert migrate.current(url).is_current
    assert migrate.check(url) == []
    assert migrate.upgrade_sql(url) == ""


def test_no_difference_to_the_tables_in_code_also_with_partitions(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("SELECT create_run_partitions(7), create_run_partitions(8)"))
    assert migrate.check(database.owner_url) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("ALTER TABLE items DROP COLUMN brand", "brand"),
        ("ALTER TABLE shards ALTER COLUMN attempt TYPE bigint", "attempt"),
        ("COMMENT ON COLUMN users.user_id IS 'other'", "user_id"),
        ("CREATE TABLE stray (a int)", "stray"),
        ("DROP INDEX ix_items_version", "ix_items_version"),
        ("ALTER TABLE shards ALTER COLUMN token DROP DEFAULT", "token"),
    ],
)
def test_a_difference_is_found(database: Database, change: str, word: str) -> None:
    with database.owner_engine.begin() as connection:
        connection.execute(text("DROP SCHEMA analytics CASCADE"))
        connection.execute(text(change))
    of_views, difference = migrate.check(database.owner_url)
    assert "views" in of_views
    assert word in difference


def test_migrations_make_exactly_what_the_tables_in_code_say(
    module_database: Database, admin: Engine
) -> None:
    # Alembic does not compare check constraints and predicates of indexes.
    statement = """
        WITH tables AS (
            SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace
            AND relkind IN ('r', 'p') AND relname <> 'alembic_version'
        )
        SELECT concat_ws(' ', attrelid::regclass, row_number() OVER (PARTITION BY attrelid
            ORDER BY attnum), attname, atttypid::regtype, atttypmod,
            attnotnull, attidentity, attgenerated, attcollation::regcollation,
            col_description(attrelid, attnum), pg_get_expr(adbin, adrelid))
        FROM tables JOIN pg_attribute ON attrelid = oid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attnum > 0 AND NOT attisdropped
        UNION ALL
        SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid))
        FROM tables JOIN pg_constraint ON conrelid = tables.oid
        UNION ALL
        SELECT pg_get_indexdef(indexrelid) FROM tables JOIN pg_index ON indrelid = oid
        UNION ALL
        SELECT concat_ws(' ', oid::regclass, pg_get_partkeydef(oid), obj_description(oid))
        FROM tables
        ORDER BY 1
    """
    metadata.create_all(admin)
    declared = scalars(admin, statement)
    assert len(declared) > 200
    assert scalars(module_database.owner_engine, statement) == declared


def test_revisions_from_before_the_first_release_are_refused(database: Database) -> None:
    with database.owner_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))
    for look in (migrate.current, migrate.check, migrate.upgrade_sql, migrate.upgrade):
        with pytest.raises(UsageError, match=r"0004.* make a new database"):
            look(database.owner_url)


def test_what_cannot_be_migrated_is_one_line(database: Database) -> None:
    with pytest.raises(UsageError, match="0099"):
        migrate.upgrade(database.owner_url, "0099")
    with pytest.raises(DependencyError):
        migrate.upgrade("postgresql://gpt4rec_owner:secret@127.0.0.1:1/shop")
    with pytest.raises(UsageError, match=r"(must be owner|denied) .*Migrate as gpt4rec_owner"):
        migrate.downgrade(database.writer_url, "base")


def test_a_held_lock_ends_the_downgrade_instead_of_blocking_sessions(database: Database) -> None:
    with database.engine.begin() as reader:
        reader.execute(text("SELECT count(*) FROM runs"))
        with pytest.raises(ConflictError, match="lock"):
            migrate.downgrade(database.owner_url, "base")
    # Completed migrations stay undone; the failed one changed nothing.
    assert migrate.current(database.owner_url).revision in revisions()
    assert migrate.upgrade(database.owner_url).is_current
    assert migrate.check(database.owner_url) == []
    assert migrate.check(database.owner_url) == []


def test_a_user_without_rights_gets_the_sql_for_an_administrator(
    cluster: Cluster, empty_database: Database, admin: Engine
) -> None:
    user = f"{cluster.prefix}_plain"
    with cluster.admin.connect() as connection:
        connection.execute(text(f"CREATE ROLE {user} LOGIN PASSWORD '{cluster.password}'"))
    url = (
        make_url(normalise_url(empty_database.writer_url))
        .set(username=user)
        .render_as_string(hide_password=False)
    )
    try:
        with pytest.raises(UsageError, match=f"User {user} may not prepare") as caught:
            migrate.upgrade(url)
        with admin.begin() as connection:
            for statement in re.findall(r"(?:GRANT|REVOKE) [^;]+;", caught.value.hint):
                connection.execute(text(statement))
        assert migrate.upgrade(url).is_current
        owners = scalars(
            empty_database.owner_engine,
            "SELECT DISTINCT relowner::regrole::text FROM pg_class "
            "WHERE relnamespace::regnamespace::text IN ('public', 'analytics')",
        )
        assert owners == ["gpt4rec_owner"], "whichever member migrates"
    finally:
        with admin.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {user}"))
            connection.execute(text(f"DROP ROLE {user}"))


def test_everything_that_can_be_seen_has_a_comment(module_database: Database) -> None:
    missing = scalars(
        module_database.owner_engine,
        """
        WITH relations AS (
            SELECT oid, relname, relnamespace::regnamespace::text AS schema FROM pg_class
            WHERE relnamespace::regnamespace::text IN ('public', 'analytics')
            AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition
        )
        SELECT schema || '.' || relname FROM relations
        WHERE obj_description(oid, 'pg_class') IS NULL
        UNION ALL
        SELECT schema || '.' || relname || '.' || attname
        FROM relations JOIN pg_attribute ON attrelid = relations.oid
        WHERE attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL
        UNION ALL
        SELECT proname FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
        UNION ALL
        SELECT nspname FROM pg_namespace
        WHERE nspname IN ('public', 'analytics') AND obj_description(oid, 'pg_namespace') IS NULL
        """,
    )
    assert missing == []


def test_nullable_columns_say_what_null_means(module_database: Database) -> None:
    silent = scalars(
        module_database.owner_engine,
        """
        SELECT relname || '.' || attname
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
        AND attnum > 0 AND NOT attisdropped AND NOT attnotnull
        AND col_description(attrelid, attnum) NOT LIKE '%NULL%'
        """,
    )
    assert silent == []


def test_external_ids_compare_by_bytes(module_database: Database) -> None:
    collations = scalars(
        module_database.owner_engine,
        "SELECT DISTINCT collation_name FROM information_schema.columns "
        "WHERE table_schema IN ('public', 'analytics') "
        "AND column_name IN ('user_id', 'item_id', 'run_id', 'index_name')",
    )
    assert collations == ["C"]


def test_the_catalog_starts_at_version_zero_and_stays_one_row(database: Database) -> None:
    with database.engine.connect() as connection:
        found = connection.execute(text("SELECT * FROM catalog_state")).all()
        assert [tuple(row) for row in found] == [(True, 0, 0)]
        with pytest.raises(Exception, match="ck_catalog_state_one_row"):
            connection.execute(text("INSERT INTO catalog_state VALUES (false, 0, 0)"))
