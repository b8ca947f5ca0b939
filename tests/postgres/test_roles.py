import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.databases import Database
from tests.postgres.analyst_rows import add_three_nights

REFUSED = {"42501"}  # insufficient privilege


@pytest.fixture(scope="module")
def shop(module_database: Database) -> Database:
    with module_database.engine.begin() as connection:
        add_three_nights(connection)
    return module_database


def state_of(engine: Engine, statement: str) -> str:
    """Return the SQLSTATE of the error of ``statement``; empty: no error."""
    with engine.connect() as connection:
        try:
            connection.execute(text(statement))
        except DBAPIError as error:
            return str(getattr(error.orig, "pgcode", ""))
    return ""


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM public.users",
        "SELECT * FROM public.recommendations",
        "SELECT * FROM public.recommendations_2",
        "SELECT * FROM public.audit",
        "SELECT * FROM public.privacy",
        "SELECT * FROM public.alembic_version",
        "UPDATE analytics.items SET title = 'x'",
        "INSERT INTO analytics.users (user_id) VALUES ('x')",
        "DELETE FROM analytics.users",
        "CREATE TABLE public.t (a int)",
        "CREATE TABLE analytics.t (a int)",
        "CREATE VIEW analytics.v AS SELECT 1",
        "CREATE SCHEMA mine",
        "CREATE TEMP TABLE t (a int)",
        "SELECT 1 AS a INTO TEMP t",
        "DROP VIEW analytics.items",
        "CREATE OR REPLACE VIEW analytics.users AS SELECT 1",
        "SELECT public.create_run_partitions(9)",
        "SELECT public.drop_run_partitions(1)",
        "SELECT public.analyze_table('items')",
        "COPY analytics.users TO PROGRAM 'cat'",
        "COPY analytics.users TO '/tmp/users.csv'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_xact_lock_shared(1, 2)",
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, decode(repeat('00', 100), 'hex'))",
        "SELECT lo_put(1, 0, 'x')",
        "INSERT INTO public.locks (name) VALUES ('night nightly')",
        "SELECT FROM public.locks FOR UPDATE",
        "INSERT INTO public.lock_holders VALUES ('night nightly', 1, 1, false)",
        "LOCK TABLE public.runs IN ACCESS SHARE MODE",
        "TRUNCATE public.locks",
        "ALTER DATABASE template1 SET work_mem = '1GB'",
        "COMMENT ON TABLE public.items IS 'x'",
        "SELECT pg_reload_conf()",
        "SET ROLE gpt4rec_writer",
        "SET ROLE gpt4rec_owner",
        "ALTER ROLE gpt4rec_analyst SUPERUSER",
        "CREATE ROLE another",
        "GRANT gpt4rec_owner TO CURRENT_USER",
        "ALTER TABLE public.items OWNER TO gpt4rec_analyst",
        "LOAD '/tmp/library'",
        "CREATE FUNCTION analytics.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_the_analyst_is_refused_everything_but_reading_views(
    shop: Database, statement: str
) -> None:
    assert state_of(shop.analyst_engine, statement) in REFUSED


def test_the_analyst_cannot_share_its_rights(shop: Database) -> None:
    with shop.analyst_engine.begin() as connection:
        connection.execute(text("GRANT SELECT ON analytics.users TO PUBLIC"))  # only a warning
    with shop.owner_engine.connect() as connection:
        granted = connection.execute(
            text(
                "SELECT count(*) FROM pg_class, aclexplode(relacl) WHERE grantee = 0 "
                "AND relnamespace::regnamespace::text IN ('public', 'analytics')"
            )
        )
        assert granted.scalar_one() == 0


def test_the_analyst_reads_every_view(shop: Database) -> None:
    with shop.analyst_engine.connect() as connection:
        names = connection.execute(
            text("SELECT relname FROM pg_class WHERE relnamespace = 'analytics'::regnamespace")
        ).scalars()
        counts = {
            name: connection.execute(text(f"SELECT count(*) FROM analytics.{name}")).scalar_one()
            for name in names.all()
        }
    assert set(counts) == {
        "block_rules",
        "co_purchases",
        "evaluation_metrics",
        "evaluation_users",
        "evaluations",
        "daily_coverage",
        "daily_gaps",
        "daily_items",
        "daily_queries",
        "gate_results",
        "generated_queries",
        "holdback_arms",
        "index_builds",
        "items",
        "latest_generated_queries",
        "latest_recommendations",
        "list_trial_changes",
        "list_trial_comparisons",
        "list_trial_settings",
        "list_trials",
        "never_recommended_items",
        "night_quality",
        "night_quality_arms",
        "night_quality_parts",
        "promotion_rules",
        "purchases",
        "recipe_uses",
        "recipes",
        "qrels",
        "queries",
        "query_hits",
        "recommendation_conversions",
        "recommendations",
        "rejects",
        "removed_queries",
        "replay_metrics",
        "replays",
        "list_changes",
        "list_lengths",
        "run_measures",
        "run_promotions",
        "run_rules",
        "run_sources",
        "run_stages",
        "run_work",
        "runs",
        "splits",
        "trial_comparisons",
        "trial_points",
        "trial_queries",
        "trials",
        "user_outcomes",
        "users",
        "weakly_matched_queries",
        "zero_hit_queries",
    }
    assert all(counts.values()), "the rows of the fixture show in every view"


def test_the_analyst_role_has_default_limits(shop: Database) -> None:
    with shop.owner_engine.connect() as connection:
        role = connection.execute(
            text(
                "SELECT rolconnlimit, rolconfig, rolsuper OR rolcreatedb OR rolcreaterole "
                "OR rolreplication OR rolbypassrls AS is_mighty "
                "FROM pg_roles WHERE rolname = 'gpt4rec_analyst'"
            )
        ).one()
    names = {setting.partition("=")[0] for setting in role.rolconfig}
    assert names >= {"search_path", "statement_timeout", "default_transaction_read_only"}
    assert role.rolconnlimit > 0
    assert not role.is_mighty


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.t (a int)",
        "CREATE SCHEMA mine",
        "DROP TABLE public.items",
        "ALTER TABLE public.items ADD COLUMN a int",
        "CREATE INDEX ON public.items (brand)",
        "TRUNCATE public.items",
        "DROP TABLE public.recommendations_2",
        "ALTER TABLE public.recommendations DETACH PARTITION public.recommendations_2",
        "CREATE TABLE public.r_9 PARTITION OF public.recommendations FOR VALUES IN (9)",
        "UPDATE public.audit SET actor = 'nobody'",
        "DELETE FROM public.audit",
        "TRUNCATE public.audit",
        "UPDATE public.alembic_version SET version_num = '0001'",
        "DROP FUNCTION public.drop_run_partitions(int, boolean)",
        "ALTER FUNCTION public.create_run_partitions(int) SECURITY INVOKER",
        "CREATE OR REPLACE VIEW analytics.users AS SELECT 1",
        "COPY public.items TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE gpt4rec_owner",
    ],
)
def test_the_writer_is_refused_ddl_and_rewriting_the_audit(shop: Database, statement: str) -> None:
    assert state_of(shop.engine, statement) in REFUSED


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO audit (actor, action, object) VALUES ('a', 'b', 'c')",
        "SELECT * FROM audit",
        "UPDATE items SET brand = 'b'",
        "DELETE FROM recommendations",
        "DELETE FROM recommendations_2",
        "CREATE TEMP TABLE staged (a int)",
        "SELECT version_num FROM alembic_version",
        "SELECT analyze_table('items')",
        "SELECT count(*) FROM analytics.latest_recommendations",
    ],
)
def test_the_writer_may_do_its_work(shop: Database, statement: str) -> None:
    assert state_of(shop.engine, statement) == ""


def test_partitions_are_made_once_and_written_to_directly(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("SELECT create_run_partitions(5)"))
        connection.execute(text("SELECT create_run_partitions(5)"))
        connection.execute(text("INSERT INTO run_users VALUES (5, 1, NULL, '{}', 0, NULL)"))
        connection.execute(text("INSERT INTO run_users_5 VALUES (5, 2, NULL, '{}', 0, NULL)"))
        found = connection.execute(text("SELECT count(*) FROM run_users WHERE run_no = 5"))
        assert found.scalar_one() == 2
    assert state_of(database.engine, "SELECT create_run_partitions(0)") == "22023"
    assert state_of(database.engine, "SELECT create_run_partitions(NULL)") == "22023"
    no_partition = "INSERT INTO run_users VALUES (6, 1, NULL, '{}', 0, NULL)"
    assert state_of(database.engine, no_partition) == "23514"


def test_partitions_have_the_constraints_of_their_parents(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("SELECT create_run_partitions(5)"))
    wrong = "INSERT INTO recommendations_5 VALUES (5, 1, {}, {}, '{}')"
    assert state_of(database.engine, wrong.format(1, 1, "guess")) == "23514"
    with database.engine.connect() as connection:
        connection.execute(text(wrong.format(1, 1, "queries")))
        with pytest.raises(DBAPIError, match="item_no"):
            connection.execute(text(wrong.format(2, 1, "queries")))


def test_making_partitions_does_not_wait_for_readers(shop: Database) -> None:
    with shop.analyst_engine.connect() as reader, shop.engine.connect() as planner:
        reader.execute(text("SELECT count(*) FROM analytics.recommendations"))
        planner.execute(text("SET lock_timeout = '100ms'"))
        planner.execute(text("SELECT create_run_partitions(77)"))
        # New readers do not wait either while the plan is not committed.
        reader.execute(text("SELECT count(*) FROM analytics.recommendations"))
        planner.rollback()


@pytest.mark.parametrize("run_no", [1, 2, 3])
def test_partitions_in_use_are_not_dropped(shop: Database, run_no: int) -> None:
    # 1: published before; 2: published; 3: unfinished
    assert state_of(shop.engine, f"SELECT drop_run_partitions({run_no})") == "55006"


def test_partitions_of_an_old_run_are_dropped(database: Database) -> None:
    with database.engine.begin() as connection:
        add_three_nights(connection)
        connection.execute(text("UPDATE runs SET state = 'failed' WHERE run_no = 3"))
        connection.execute(text("SELECT drop_run_partitions(3)"))
        left = connection.execute(text("SELECT DISTINCT run_no FROM recommendations ORDER BY 1"))
        assert left.scalars().all() == [1, 2]
        connection.execute(text("SELECT drop_run_partitions(3)"))


def test_dropping_gives_up_soon_behind_a_reader(database: Database) -> None:
    with database.engine.begin() as connection:
        add_three_nights(connection)
        connection.execute(text("UPDATE runs SET state = 'failed' WHERE run_no = 3"))
    with database.analyst_engine.connect() as reader:
        reader.execute(text("SELECT count(*) FROM analytics.recommendations"))
        assert state_of(database.engine, "SELECT drop_run_partitions(3)") == "55P03"


@pytest.mark.parametrize("name", ["nothing", "items; DROP TABLE items", "pg_class", "users_pkey"])
def test_only_own_tables_are_analyzed(shop: Database, name: str) -> None:
    with shop.engine.connect() as connection, pytest.raises(DBAPIError, match="there is no table"):
        connection.execute(text("SELECT analyze_table(:name)"), {"name": name})


def test_functions_of_the_owner_ignore_temporary_tables(
    shop: Database,
) -> None:
    # A caller's temporary table named runs must not make an unfinished run look finished.
    with shop.engine.connect() as connection:
        connection.execute(text("CREATE TEMP TABLE runs (run_no int, state text)"))
        connection.execute(text("CREATE TEMP TABLE publications (run_no int, previous_run_no int)"))
        connection.execute(text("SET search_path = pg_temp, public"))
        with pytest.raises(DBAPIError, match="unfinished"):
            connection.execute(text("SELECT drop_run_partitions(3)"))


def test_every_function_of_the_owner_is_pinned_and_closed_to_the_public(shop: Database) -> None:
    with shop.owner_engine.connect() as connection:
        functions = connection.execute(
            text(
                "SELECT proname, proconfig, has_function_privilege('gpt4rec_analyst', oid, "
                "'EXECUTE') AS is_open FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
                "AND prosecdef"
            )
        ).all()
    assert len(functions) == 4
    for function in functions:
        assert "search_path=pg_catalog, pg_temp" in function.proconfig
        assert not function.is_open


def test_the_writer_has_all_of_dml_on_every_table_but_the_audit(shop: Database) -> None:
    with shop.owner_engine.connect() as connection:
        lacking = connection.execute(
            text(
                "SELECT relname || ' ' || privilege FROM pg_class, "
                "unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege "
                "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
                "AND NOT has_table_privilege('gpt4rec_writer', pg_class.oid, privilege) ORDER BY 1"
            )
        ).scalars()
        assert lacking.all() == [
            "alembic_version DELETE",
            "alembic_version INSERT",
            "alembic_version UPDATE",
            "audit DELETE",
            "audit UPDATE",
            *(f"privacy {right}" for right in ("DELETE", "INSERT", "SELECT", "UPDATE")),
        ]
