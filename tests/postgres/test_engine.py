import threading

import psycopg2
import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError

from gpt4rec_es.db.engine import make_engine, normalise_url, retrying, transaction
from gpt4rec_es.db.errors import dependency_error, is_transient
from gpt4rec_es.errors import DependencyError, UsageError
from tests.databases import Cluster, Database

NOBODY_LISTENS = "postgresql://shop:topsecret@127.0.0.1:1/shop"


def kill(cluster: Cluster, connection: Connection) -> None:
    """Kill the server process of ``connection``, as in a crash or restart."""
    pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    kill_pid(cluster, pid)


def kill_pid(cluster: Cluster, pid: int) -> None:
    with cluster.admin.connect() as admin:
        assert admin.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}).scalar()


def error_of(connection: Connection, statement: str) -> DBAPIError:
    with pytest.raises(DBAPIError) as caught:
        connection.execute(text(statement))
    return caught.value


def test_urls_of_all_spellings_reach_the_one_driver() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg2"):
        assert normalise_url(f"{scheme}://u:p%40@h:1/d") == "postgresql+psycopg2://u:p%40@h:1/d"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://shop:topsecret@db/shop",
        "topsecret",
        "postgresql+asyncpg://shop:topsecret@db/shop",
        "postgresql://shop:topsecret@db:port/shop",
        "",
    ],
)
def test_wrong_url_names_the_setting_and_never_the_password(url: str) -> None:
    with pytest.raises(UsageError, match="DATABASE_URL") as caught:
        normalise_url(url)
    assert "topsecret" not in str(caught.value)


def test_sessions_are_in_utc_and_every_wait_has_an_end(module_database: Database) -> None:
    engine = make_engine(
        module_database.writer_url,
        application_name="name with spaces",
        statement_timeout_s=7,
        lock_timeout_s=0.5,
        idle_in_transaction_timeout_s=90,
        isolation="REPEATABLE READ",
    )
    with engine.connect() as connection:
        shown = {
            name: connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in (
                "timezone",
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
                "application_name",
                "client_encoding",
                "transaction_isolation",
            )
        }
    engine.dispose()
    assert shown == {
        "timezone": "UTC",
        "statement_timeout": "7s",
        "lock_timeout": "500ms",
        "idle_in_transaction_session_timeout": "90s",
        "application_name": "name with spaces",
        "client_encoding": "UTF8",
        "transaction_isolation": "repeatable read",
    }


def test_options_of_the_url_are_kept(module_database: Database) -> None:
    with module_database.owner_engine.connect() as connection:
        assert connection.execute(text("SELECT current_user")).scalar_one() == "gpt4rec_owner"
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "5s"


def test_a_search_path_of_the_role_does_not_hide_the_tables(module_database: Database) -> None:
    with module_database.analyst_engine.connect() as connection:
        assert connection.execute(text("SHOW search_path")).scalar_one() == "public"
    raw = create_engine(module_database.analyst_url)
    with raw.connect() as connection:
        assert connection.execute(text("SHOW search_path")).scalar_one() == "analytics"
    raw.dispose()


def test_a_killed_backend_is_transient(module_database: Database, cluster: Cluster) -> None:
    def select_after_a_kill() -> None:
        with module_database.engine.begin() as connection:
            kill(cluster, connection)
            connection.execute(text("SELECT 1"))

    with pytest.raises(DBAPIError) as caught:
        select_after_a_kill()
    assert is_transient(caught.value)


def test_serialization_failure_is_transient(module_database: Database) -> None:
    engine = module_database.engine.execution_options(isolation_level="REPEATABLE READ")
    bump = "UPDATE catalog_state SET history_version = history_version + 1"
    with engine.connect() as late, engine.connect() as early:
        late.execute(text("SELECT * FROM catalog_state"))
        early.execute(text(bump))
        early.commit()
        assert is_transient(error_of(late, bump))


def test_lock_time_out_is_transient(module_database: Database) -> None:
    engine = module_database.engine
    with engine.begin() as holder, engine.connect() as waiter:
        holder.execute(text("SELECT * FROM catalog_state FOR UPDATE"))
        waiter.execute(text("SET lock_timeout = '50ms'"))
        assert is_transient(error_of(waiter, "SELECT * FROM catalog_state FOR UPDATE"))


def test_deadlock_is_transient(module_database: Database) -> None:
    engine = module_database.engine
    errors: list[BaseException] = []
    both_hold_one = threading.Barrier(2)
    lock = text("SELECT pg_advisory_xact_lock(:key)")

    def cross(first: int, second: int) -> None:
        try:
            with engine.begin() as connection:
                connection.execute(lock, {"key": first})
                both_hold_one.wait()
                connection.execute(lock, {"key": second})
        except DBAPIError as error:
            errors.append(error)

    other = threading.Thread(target=cross, args=(2, 1))
    other.start()
    cross(1, 2)
    other.join()
    assert [is_transient(error) for error in errors] == [True]


def test_faults_of_the_statement_are_not_transient(module_database: Database) -> None:
    with module_database.engine.connect() as connection:
        connection.execute(text("SET statement_timeout = '20ms'"))
        assert not is_transient(error_of(connection, "SELECT pg_sleep(10)"))
        connection.rollback()
        twice = "INSERT INTO catalog_state VALUES (true, 0, 0)"
        assert not is_transient(error_of(connection, twice))
        connection.rollback()
        assert not is_transient(error_of(connection, "SELECT 1 / 0"))
    assert not is_transient(ValueError("no database error at all"))


def test_errors_of_the_bare_driver_are_told_apart_too(module_database: Database) -> None:
    with pytest.raises(psycopg2.Error) as refused:
        psycopg2.connect(host="127.0.0.1", port=1, connect_timeout=1)
    assert is_transient(refused.value)
    with module_database.engine.connect() as connection:
        cursor = connection.connection.cursor()
        with pytest.raises(psycopg2.Error) as wrong:
            cursor.execute("SELECT nonsense")
    assert not is_transient(wrong.value)


def test_transaction_turns_a_lost_server_into_one_line() -> None:
    engine = make_engine(NOBODY_LISTENS, application_name="tests", connect_timeout_s=1)
    with (
        pytest.raises(DependencyError, match=r"127\.0\.0\.1:1/shop") as caught,
        transaction(engine),
    ):
        pytest.fail("there is no server")
    assert "topsecret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_transaction_leaves_other_errors_alone_and_rolls_back(database: Database) -> None:
    def update_and_fail() -> None:
        with transaction(database.engine) as connection:
            connection.execute(text("UPDATE catalog_state SET catalog_version = 9"))
            connection.execute(text("SELECT 1 / 0"))

    with pytest.raises(DBAPIError, match="division by zero"):
        update_and_fail()
    with transaction(database.engine) as connection:
        found = connection.execute(text("SELECT catalog_version FROM catalog_state"))
        assert found.scalar_one() == 0


def test_retrying_reruns_the_whole_transaction(database: Database, cluster: Cluster) -> None:
    tries: list[int] = []
    pauses: list[float] = []

    def work(connection: Connection) -> str:
        connection.execute(text("UPDATE catalog_state SET catalog_version = catalog_version + 1"))
        tries.append(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        if len(tries) < 3:
            kill_pid(cluster, tries[-1])
        return str(connection.execute(text("SELECT 'done'")).scalar_one())

    assert retrying(database.engine, work, sleep=pauses.append) == "done"
    assert len(set(tries)) == 3, "each try has its own connection"
    assert len(pauses) == 2
    with database.engine.connect() as connection:
        found = connection.execute(text("SELECT catalog_version FROM catalog_state"))
        assert found.scalar_one() == 1, "only the successful try has an effect"


def test_retrying_gives_up_at_its_deadline() -> None:
    now = [0.0]

    def sleep(pause: float) -> None:
        now[0] += pause

    engine = make_engine(NOBODY_LISTENS, application_name="tests", connect_timeout_s=1)
    with pytest.raises(DependencyError) as caught:
        retrying(engine, lambda _: None, deadline_s=30, sleep=sleep, clock=lambda: now[0])
    assert 20 < now[0] <= 30, "it retried until no further try fits"
    assert "topsecret" not in str(caught.value)


def test_retrying_does_not_wait_for_a_refused_login(module_database: Database) -> None:
    url = module_database.writer_url.replace(module_database.name, "no_such_database")
    engine = make_engine(url, application_name="tests")
    with pytest.raises(DependencyError, match="does not exist"):
        retrying(engine, lambda _: None, sleep=lambda _: pytest.fail("waited"))


def test_retrying_passes_other_errors_on_at_once(module_database: Database) -> None:
    with pytest.raises(DBAPIError, match="division by zero"):
        retrying(
            module_database.engine,
            lambda connection: connection.execute(text("SELECT 1 / 0")),
            sleep=lambda _: pytest.fail("waited"),
        )


def test_the_message_of_a_lost_server_hides_a_password_the_driver_prints() -> None:
    engine = make_engine(NOBODY_LISTENS, application_name="tests")
    error = psycopg2.OperationalError("invalid dsn: password=topsecret\nsecond line")
    assert str(dependency_error(error, engine.url)).count("topsecret") == 0
