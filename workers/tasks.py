"""Celery tasks: drain a run, start the night that is due, notify about unleased work."""

import logging

from gpt4rec_es.errors import ConflictError
from gpt4rec_es.night.quality.judge import measure_after
from gpt4rec_es.night.schedule import due_date
from gpt4rec_es.night.stages.advance import GENERATION, RETRIEVAL
from gpt4rec_es.night.start import ensure_night
from workers.celery import app
from workers.drain import drain_queue
from workers.notify import notify, notify_waiting
from workers.process import process_runtime

log = logging.getLogger(__name__)


@app.task(name="queries.drain")
def drain_generation(run_id: str) -> None:
    """Generate the missing queries of the run."""
    drain_queue(app, GENERATION, run_id)


@app.task(name="recommendations.drain")
def drain_retrieval(run_id: str) -> None:
    """Do the remaining searches and merges of the run, then check and publish it."""
    drain_queue(app, RETRIEVAL, run_id)


@app.task(name="schedule.ensure")
def ensure() -> None:
    """Start the night that is due unless it ran or runs."""
    runtime = process_runtime()
    due = due_date(runtime.settings.nightly_cron, runtime.settings.timezone)
    try:
        started = ensure_night(runtime.night_parts(), runtime.night_options(), due)
    except ConflictError as error:  # another process is planning it
        log.info("%s", error)
        return
    if started:
        notify(app, started.run, float(runtime.settings.redrive_seconds))


@app.task(name="schedule.quality")
def compare_with_purchases() -> None:
    """Compare published nights with what users bought since, as far as it is due."""
    runtime = process_runtime()
    measure_after(runtime.engine, runtime.night_parts, "an import or the end of a day")


@app.task(name="schedule.redrive")
def redrive() -> None:
    """Notify workers of every unfinished run."""
    notify_waiting(app, process_runtime(), {GENERATION, RETRIEVAL})
