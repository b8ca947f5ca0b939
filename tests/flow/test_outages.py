"""A night whose database connections are repeatedly closed, or whose row is locked."""

import datetime as dt
import threading

from sqlalchemy import text

from gpt4rec_es.db.rows.runs import lock_state
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.stages.advance import advance
from gpt4rec_es.night.start import start_night
from tests.databases import Cluster, Database
from tests.shop import Shop, stored_rows

DAY = dt.date(2026, 11, 22)


def test_cut_connections_change_nothing(shop: Shop, database: Database, cluster: Cluster) -> None:
    calm = shop.runtime()
    run_night(calm.night_parts(), calm.night_options(), DAY)
    with database.engine.begin() as connection:  # so that the second night has to do all work again
        connection.execute(text("DELETE FROM generations"))
        connection.execute(text("DELETE FROM searches"))
        expected = stored_rows(connection, 1)
    stop = threading.Event()
    cuts = 0

    def cut() -> None:
        nonlocal cuts
        pause = 0.15
        while not stop.wait(pause):
            pause *= 1.1  # a busy machine, too, has to come between two cuts to a commit
            with cluster.admin.connect() as connection:
                # Not the session that holds the night's lock: losing it ends the night.
                cuts += connection.execute(
                    text("""
                    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                    WHERE datname = :name AND query NOT LIKE '%advisory%'
                      AND application_name = 'gpt4rec' AND backend_type = 'client backend'
                      AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')
                    """),
                    {"name": database.name},
                ).scalar_one()

    sizes = {"generate_shard_size": 1, "search_shard_size": 1, "merge_shard_size": 1}
    unstable = shop.runtime(**sizes, max_failures=50)
    parts, options = unstable.night_parts(), unstable.night_options()
    started = start_night(parts, options, DAY + dt.timedelta(days=1))
    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        drain(parts, options, started.run.run_no, "test")
    finally:
        stop.set()
        cutter.join()
    assert cuts > 3
    with database.engine.connect() as connection:
        assert stored_rows(connection, started.run.run_no) == expected


def test_a_worker_waits_without_a_lock_while_another_advances_the_run(
    shop: Shop, database: Database
) -> None:
    runtime = shop.runtime()
    parts, options = runtime.night_parts(), runtime.night_options()
    run = start_night(parts, options, DAY).run
    reports = []
    with database.engine.connect() as another, another.begin() as taking:
        lock_state(another, run.run_no)
        # With a million users this may take minutes, longer than lock_timeout.
        assert advance(parts.engine, run.run_no).state == "planned"
        worker = threading.Thread(
            target=lambda: reports.append(drain(parts, options, run.run_no, "test"))
        )
        worker.start()
        worker.join(0.7)
        assert worker.is_alive()
        with database.engine.connect() as connection:
            waiting = connection.execute(
                text("""
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                """)
            )
            assert waiting.scalar_one() == 0
        taking.rollback()
    worker.join()
    assert [report.run.state for report in reports] == ["published"]
