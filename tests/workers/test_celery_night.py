"""Nights run by Celery workers on a real broker."""

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.start import start_night
from tests.databases import Database
from tests.processes import Worker, night_workers, running, wait_for
from tests.shop import Shop, stored_rows

DAY = dt.date(2026, 11, 22)


def state(database: Database, run_no: int = 1) -> str:
    with database.engine.connect() as connection:
        found = connection.execute(
            text("SELECT state FROM runs WHERE run_no = :no"), {"no": run_no}
        ).scalar_one_or_none()
    return str(found)


def test_workers_store_the_same_rows_as_one_process(
    shops: tuple[Shop, Shop], database: Database, second_database: Database, tmp_path: Path
) -> None:
    here, there = shops[0].runtime(), shops[1].runtime(redrive_seconds=1)
    run_night(here.night_parts(), here.night_options(), DAY)
    # Only planned: no message is sent, so the workers' re-drivers start it.
    start_night(there.night_parts(), there.night_options(), DAY)
    pages = tmp_path / "pages"
    settings = {
        "GPT4REC_REPORTS_FOLDER": str(pages),
        "GPT4REC_REPORTS_PICTURES": "https://pictures.example/{item_id}.jpg",
    }
    workers = night_workers({**shops[1].environ, **settings}, tmp_path)
    with running(*workers):
        wait_for(lambda: state(second_database) == "published", 90, workers)
        # The task that published the night also writes its page.
        wait_for((pages / "index.html").is_file, 60, workers)
    page = (pages / "nightly-2026-11-22-1.html").read_text("utf-8")
    assert 'src="https://pictures.example/i0' in page
    with database.engine.connect() as one, second_database.engine.connect() as other:
        assert stored_rows(one, 1) == stored_rows(other, 1)


def test_a_worker_of_other_code_declines(
    shops: tuple[Shop, Shop],
    second_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # For the app, which sends messages from this process.
    shops[1].enter(monkeypatch)
    runtime = shops[1].runtime()
    started = start_night(runtime.night_parts(), runtime.night_options(), DAY)
    with second_database.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET code_version = 'other'"))
    worker = Worker("generation", shops[1].environ, tmp_path / "generation.log")
    with running(worker):
        wait_for(lambda: "ready" in worker.log(), 60, (worker,))
        # A message sent anyway is declined in the log and changes nothing.
        from workers.celery import app  # noqa: PLC0415 - reads settings when first used
        from workers.notify import notify_queue  # noqa: PLC0415 - as above

        app.conf.broker_url = shops[1].environ["CELERY_BROKER_URL"]
        notify_queue(app, "generation", started.run.run_id, 60)
        wait_for(lambda: "declined" in worker.log(), 30, (worker,))
    assert state(second_database) == "planned"
