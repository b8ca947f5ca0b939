"""Nights whose workers are killed at random, and a night whose broker loses all messages."""

import datetime as dt
import logging
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from sqlalchemy import text

from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.start import start_night
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.processes import Worker, running, wait_for
from tests.servers import Servers
from tests.shop import Shop, make_shop, stored_rows

log = logging.getLogger(__name__)

DAY = dt.date(2026, 11, 22)
USERS = 300
# A short lease, so that a killed worker's shard is taken over soon; shards of one or two members,
# so that kills happen in the middle of all stages. 200 of the users are a canary.
ENVIRON = {
    "GPT4REC_LEASE_SECONDS": "2",
    "GPT4REC_REDRIVE_SECONDS": "1",
    "GPT4REC_GENERATE_SHARD_SIZE": "2",
    "GPT4REC_SEARCH_SHARD_SIZE": "1",
    "GPT4REC_MERGE_SHARD_SIZE": "2",
    # Kills must not count as failures of a shard's members.
    "GPT4REC_MAX_FAILURES": "20",
}


@pytest.fixture
def disturbed(
    servers: Servers, database: Database, second_database: Database, alias: str
) -> tuple[Shop, list[tuple[object, ...]]]:
    """A planned night in ``second_database``, and the rows of the same night without kills."""
    for one in (database, second_database):
        use_titles(one)
    calm = make_shop(servers, database, f"{alias}-a", USERS).runtime()
    run_night(calm.night_parts(), calm.night_options(), DAY)
    shop = make_shop(servers, second_database, f"{alias}-b", USERS)
    shop = Shop({**shop.environ, **ENVIRON})
    runtime = shop.runtime()
    start_night(runtime.night_parts(), runtime.night_options(), DAY)
    with database.engine.connect() as connection:
        return shop, stored_rows(connection, 1)


def finished(database: Database) -> bool:
    with database.engine.connect() as connection:
        state = connection.execute(text("SELECT state FROM runs")).scalar_one()
    assert state not in {"rejected", "failed", "superseded"}
    return str(state) == "published"


def test_random_kills_change_nothing(
    disturbed: tuple[Shop, list[tuple[object, ...]]], second_database: Database, tmp_path: Path
) -> None:
    shop, expected = disturbed
    seed = random.randrange(10**6)
    log.warning("seed %s", seed)
    chance = random.Random(seed)
    workers = {q: Worker(q, shop.environ, tmp_path / q) for q in ("generation", "retrieval")}
    kills = 0
    deadline = time.monotonic() + 200
    try:
        while not finished(second_database) and time.monotonic() < deadline:
            busy = (
                "generation"
                if _stage(second_database) in {"planned", "generating"}
                else "retrieval"
            )
            with suppress(BaseException):
                wait_for(lambda w=workers[busy]: " ready" in w.log(), 30)
            time.sleep(chance.uniform(0.1, 1.2))
            if kills >= 8:
                wait_for(lambda: finished(second_database), 120, tuple(workers.values()))
                break
            victim = workers[busy]
            children = victim.children()
            kills += 1
            if children and chance.random() < 0.4:  # the child; the parent forks another
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(children), signal.SIGKILL)
                continue
            victim.kill()
            workers[busy] = Worker(busy, shop.environ, tmp_path / f"{busy}{kills}", kills)
        assert finished(second_database)
    finally:
        for worker in workers.values():
            worker.kill()
    with second_database.engine.connect() as connection:
        takeovers = connection.execute(
            text("SELECT sum(attempt) - count(*) FROM shards WHERE state = 'done'")
        ).scalar_one()
        log.warning("%s kills, %s shards taken over", kills, takeovers)
        assert stored_rows(connection, 1) == expected
    assert kills > 0


def test_a_broker_that_loses_everything_changes_nothing(
    disturbed: tuple[Shop, list[tuple[object, ...]]], second_database: Database, tmp_path: Path
) -> None:
    shop, expected = disturbed
    broker = redis.from_url(shop.environ["CELERY_BROKER_URL"])
    workers = tuple(
        Worker(queue, shop.environ, tmp_path / queue) for queue in ("generation", "retrieval")
    )
    wipes = 0
    with running(*workers):
        wait_for(lambda: all(" ready" in worker.log() for worker in workers), 60, workers)
        while not finished(second_database) and wipes < 200:
            broker.flushdb()
            wipes += 1
            time.sleep(0.3)
        wait_for(lambda: finished(second_database), 90, workers)
    with second_database.engine.connect() as connection:
        assert stored_rows(connection, 1) == expected
    assert wipes > 2


def _stage(database: Database) -> str:
    with database.engine.connect() as connection:
        return str(connection.execute(text("SELECT state FROM runs")).scalar_one())
