"""Leases and fencing tokens on a real database: which worker may store a shard's rows."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gpt4rec_es.db.rows import shards
from gpt4rec_es.errors import DependencyError, LeaseLostError
from gpt4rec_es.night.stages import leases
from tests.databases import Database
from tests.rows import add_run

STAGE = "merge"


@pytest.fixture
def engine(database: Database) -> Engine:
    with database.engine.begin() as connection:
        add_run(connection, run_no=1)
        for members in ([1, 2, 3, 4], [5, 6]):
            connection.execute(
                text("INSERT INTO shards (run_no, stage, members) VALUES (1, 'merge', :m)"),
                {"m": members},
            )
    return database.engine


def claim(engine: Engine, owner: str, lease_seconds: float = 60) -> shards.Shard | None:
    with engine.begin() as connection:
        return shards.claim(connection, 1, STAGE, owner, lease_seconds)


def must_claim(engine: Engine, owner: str, lease_seconds: float = 60) -> shards.Shard:
    shard = claim(engine, owner, lease_seconds)
    assert shard is not None
    return shard


def expire(engine: Engine, shard: shards.Shard) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE shards SET lease_until = clock_timestamp() - interval '1 s' "
                "WHERE shard_no = :no"
            ),
            {"no": shard.shard_no},
        )


NOTHING = leases.Work(lambda _: 0)


def test_each_shard_goes_to_one_worker(engine: Engine) -> None:
    claimed: list[int] = []

    def work(owner: str) -> None:
        while (shard := claim(engine, owner)) is not None:
            claimed.append(shard.shard_no)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == [1, 2]


def test_an_expired_lease_goes_to_another_worker_and_only_it_may_store(engine: Engine) -> None:
    slow = must_claim(engine, "slow")
    expire(engine, slow)
    quick = must_claim(engine, "quick")
    assert quick.shard_no == slow.shard_no
    assert (quick.token, quick.failures) == (slow.token + 1, 1)

    stored: list[str] = []

    def work(name: str) -> leases.Work:
        def insert(connection: Connection) -> int:
            connection.execute(
                text(
                    "INSERT INTO run_popular (run_no, rank, item_no, n_buyers) "
                    "VALUES (1, :rank, 1, 1)"
                ),
                {"rank": 1 if name == "slow" else 2},
            )
            stored.append(name)
            return 1

        return leases.Work(insert)

    with pytest.raises(LeaseLostError):
        leases.finish(engine, slow, work("slow"))
    leases.finish(engine, quick, work("quick"))
    with pytest.raises(LeaseLostError):
        leases.finish(engine, slow, work("slow"))
    assert stored == ["quick"]
    with engine.connect() as connection:
        ranks = connection.execute(text("SELECT rank FROM run_popular")).scalars().all()
    assert ranks == [2]


def test_finish_again_after_a_lost_answer_is_harmless(engine: Engine) -> None:
    shard = must_claim(engine, "w")
    leases.finish(engine, shard, NOTHING)
    assert leases.finish(engine, shard, NOTHING) == 0


def test_rows_and_done_are_one_transaction(engine: Engine) -> None:
    shard = must_claim(engine, "w")

    def store(connection: Connection) -> int:
        connection.execute(
            text("INSERT INTO run_popular (run_no, rank, item_no, n_buyers) VALUES (1, 1, 1, 1)")
        )
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        leases.finish(engine, shard, leases.Work(store))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM run_popular")).scalar_one() == 0
        assert shards.has_open(connection, 1, STAGE)


def test_an_outage_is_not_counted_against_the_shard(engine: Engine) -> None:
    shard = must_claim(engine, "w")
    leases.give_back(engine, shard, DependencyError("Elasticsearch is away."))
    with engine.begin() as connection:
        row = connection.execute(
            text(
                "SELECT state, failures, available_at > clock_timestamp() AS waits "
                "FROM shards WHERE shard_no = :no"
            ),
            {"no": shard.shard_no},
        ).one()
    assert tuple(row) == ("ready", 0, True)


def test_an_error_of_the_work_is_counted_and_scrubbed(engine: Engine) -> None:
    shard = must_claim(engine, "w")
    leases.give_back(engine, shard, ValueError("postgresql://u:geheim@h/db is bad"))
    with engine.connect() as connection:
        row = connection.execute(
            text("SELECT state, failures, error FROM shards WHERE shard_no = :no"),
            {"no": shard.shard_no},
        ).one()
    assert (row.state, row.failures) == ("ready", 1)
    assert "geheim" not in row.error
    assert row.error.startswith("ValueError")


def test_split_keeps_order_and_members(engine: Engine) -> None:
    shard = must_claim(engine, "w")
    with engine.begin() as connection:
        shards.split(connection, shard)
        rows = connection.execute(
            text("SELECT members FROM shards WHERE parent_shard_no = :no ORDER BY shard_no"),
            {"no": shard.shard_no},
        ).scalars()
        assert list(rows) == [[1, 2], [3, 4]]
        assert shards.members_done(connection, 1, STAGE) == (0, 6)


def test_the_lease_is_kept_alive_while_work_goes_on(engine: Engine) -> None:
    shard = must_claim(engine, "w", lease_seconds=1.0)
    with leases.kept_alive(engine, shard, 1.0) as lease:
        threading.Event().wait(1.6)
        must_claim(engine, "other")  # the second shard
        assert claim(engine, "other") is None
        lease.check()
    leases.finish(engine, shard, NOTHING)


def test_a_lost_lease_is_noticed_during_the_work(engine: Engine) -> None:
    shard = must_claim(engine, "w", lease_seconds=0.6)
    with leases.kept_alive(engine, shard, 0.6) as lease:
        expire(engine, shard)
        thief = must_claim(engine, "thief")
        assert thief.shard_no == shard.shard_no
        threading.Event().wait(0.8)
        with pytest.raises(LeaseLostError):
            lease.check()


def test_a_pool_without_a_free_connection_does_not_end_the_renewal(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [PoolTimeoutError("all connections are in use")] * 2

    @contextmanager
    def busy(engine: Engine) -> Iterator[Connection]:
        if failures:
            raise failures.pop()
        with real(engine) as connection:
            yield connection

    real = leases.transaction
    monkeypatch.setattr(leases, "transaction", busy)
    shard = must_claim(engine, "a", 1.5)
    with leases.kept_alive(engine, shard, 1.5) as lease:
        time.sleep(2.4)
        lease.check()
    assert failures == []
    with engine.connect() as connection:
        left = connection.execute(
            text("SELECT lease_until > clock_timestamp() FROM shards WHERE shard_no = :no"),
            {"no": shard.shard_no},
        )
        assert left.scalar_one()
    assert leases.is_outage(PoolTimeoutError())


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_a_stopped_process_is_no_failure_of_its_shard(engine: Engine, error: BaseException) -> None:
    shard = must_claim(engine, "a")
    leases.give_back(engine, shard, error)
    again = must_claim(engine, "b")
    assert (again.shard_no, again.failures) == (shard.shard_no, 0)
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT error FROM shards WHERE shard_no = :no"), {"no": shard.shard_no}
        )
        assert found.scalar_one() is None
