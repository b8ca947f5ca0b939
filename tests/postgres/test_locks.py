import pytest
from sqlalchemy import text

from gpt4rec_es.db.engine import make_engine, retrying
from gpt4rec_es.db.locks import TEXTS, hold_lock, lock_key, share_lock, transaction_lock
from gpt4rec_es.db.rows import audit
from gpt4rec_es.errors import ConflictError, DependencyError, LockedError
from tests.databases import Cluster, Database


def test_only_one_holds_a_lock_and_the_error_names_the_holder(module_database: Database) -> None:
    reindexer = make_engine(module_database.writer_url, application_name="gpt4rec reindex")
    with hold_lock(reindexer, "reindex items") as lock:
        lock.check()
        with (
            pytest.raises(ConflictError, match="'reindex items' is already held by gpt4rec reind"),
            hold_lock(module_database.engine, "reindex items"),
        ):
            pytest.fail("two hold it")
        with hold_lock(module_database.engine, "another name"):
            pass
    with hold_lock(module_database.engine, "reindex items"):
        pass
    reindexer.dispose()


def test_a_lock_is_free_after_its_holder_failed(module_database: Database) -> None:
    with pytest.raises(LookupError), hold_lock(module_database.engine, "work"):
        raise LookupError
    with hold_lock(module_database.engine, "work"):
        pass


def test_check_raises_after_the_holder_lost_its_connection(
    module_database: Database, cluster: Cluster
) -> None:
    with hold_lock(module_database.engine, "work") as lock:
        with cluster.admin.connect() as admin:
            admin.execute(
                text(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks "
                    "WHERE locktype = 'advisory' AND database = "
                    "(SELECT oid FROM pg_database WHERE datname = :name)"
                ),
                {"name": module_database.name},
            )
        with pytest.raises(ConflictError, match="lost"):
            lock.check()
        with hold_lock(module_database.engine, "work"), pytest.raises(ConflictError):
            lock.check()


def test_locks_of_other_databases_do_not_matter(
    module_database: Database, database: Database
) -> None:
    with hold_lock(module_database.engine, "work"), hold_lock(database.engine, "work"):
        pass


def test_an_unreachable_server_is_a_one_line_error() -> None:
    engine = make_engine("postgresql://u:p@127.0.0.1:1/d", application_name="t")
    with pytest.raises(DependencyError), hold_lock(engine, "work"):
        pytest.fail("there is no server")


def test_transaction_lock_is_held_to_the_end_of_the_transaction(module_database: Database) -> None:
    engine = module_database.engine
    with engine.connect() as first, engine.connect() as second:
        transaction_lock(first, "publish nightly")
        second.execute(text("SET lock_timeout = '50ms'"))
        with pytest.raises(ConflictError, match="publish nightly"):
            transaction_lock(second, "publish nightly")
        second.rollback()
        first.rollback()
        second.execute(text("SET lock_timeout = '50ms'"))
        transaction_lock(second, "publish nightly")


def test_keys_fit_postgres_and_differ() -> None:
    keys = {lock_key(f"name {number}") for number in range(1000)}
    assert len(keys) == 1000
    assert all(-(2**63) <= key < 2**63 for key in keys)


def test_audit_entries_are_stored_with_the_act(database: Database) -> None:
    with database.engine.begin() as connection:
        audit.record(connection, "ann", "bm25_set", "items", {"k1": 1.2}, {"k1": 0.9}, "trial")
        audit.record(connection, "bob", "publish", "nightly-2026-11-22-1")
    with database.engine.connect() as connection, connection.begin() as lost:
        audit.record(connection, "eve", "publish", "nothing")
        lost.rollback()
    with database.engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT actor, action, object, before, after, reason, "
                "before IS NULL AS no_before FROM audit ORDER BY audit_no"
            )
        ).all()
    assert [tuple(row) for row in rows] == [
        ("ann", "bm25_set", "items", {"k1": 1.2}, {"k1": 0.9}, "trial", False),
        ("bob", "publish", "nightly-2026-11-22-1", None, None, None, True),
    ]


def test_a_shared_lock_is_waited_for_and_a_time_out_is_tried_again(
    database: Database,
) -> None:
    impatient = make_engine(database.writer_url, application_name="test", lock_timeout_s=0.1)
    waits: list[float] = []
    with database.engine.connect() as alone:
        transaction_lock(alone, TEXTS)

        def release(seconds: float) -> None:
            waits.append(seconds)
            alone.rollback()

        retrying(impatient, lambda connection: share_lock(connection, TEXTS), sleep=release)
    assert len(waits) == 1
    with impatient.begin() as one, impatient.begin() as other:
        share_lock(one, TEXTS)
        share_lock(other, TEXTS)
        with impatient.begin() as third, pytest.raises(ConflictError):
            transaction_lock(third, TEXTS)
    impatient.dispose()


def test_a_held_lock_may_be_shared_and_waited_for(database: Database) -> None:
    engine = database.engine
    with hold_lock(engine, "x", shared=True), hold_lock(engine, "x", shared=True):
        with pytest.raises(ConflictError, match="already held"), hold_lock(engine, "x"):
            pass
        with pytest.raises(ConflictError), hold_lock(engine, "x", wait_s=0.1):
            pass
    with hold_lock(engine, "x", wait_s=5) as held:
        held.check()


def test_a_wait_may_be_longer_than_a_statement(database: Database) -> None:
    hasty = make_engine(database.writer_url, application_name="test", statement_timeout_s=0.3)
    with (
        hold_lock(database.engine, "x"),
        pytest.raises(LockedError, match="already held"),
        hold_lock(hasty, "x", wait_s=1),
    ):
        pass
    hasty.dispose()


@pytest.mark.parametrize("shared", [False, True])
def test_the_default_isolation_of_the_server_does_not_matter(
    database: Database, shared: bool
) -> None:
    url = f"{database.writer_url}?options=-c%20default_transaction_isolation%3Dserializable"
    strict = make_engine(url, application_name="test")
    with strict.connect() as connection:
        level = connection.execute(text("SHOW transaction_isolation")).scalar_one()
        assert level == "read committed"
    with (
        hold_lock(strict, "x", shared=shared),
        pytest.raises(LockedError),
        hold_lock(strict, "x"),
    ):
        pass
    strict.dispose()
