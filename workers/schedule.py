"""What beat rings: start the night that is due, and ring again for work that nobody holds."""

import logging

from gpt4rec_es.errors import ConflictError
from gpt4rec_es.night.schedule import due_date
from gpt4rec_es.night.stages.doorbell import GENERATION, RETRIEVAL
from gpt4rec_es.night.start import ensure_night
from workers.celery import app
from workers.doorbell import ring, ring_waiting
from workers.process import process_runtime

log = logging.getLogger(__name__)


@app.task(name="schedule.ensure")
def ensure() -> None:
    """Start the night that is due unless it ran or runs."""
    runtime = process_runtime()
    due = due_date(runtime.settings.nightly_cron, runtime.settings.timezone)
    try:
        started = ensure_night(runtime.night_parts(), runtime.night_options(), due)
    except ConflictError as error:  # someone else is planning it
        log.info("%s", error)
        return
    if started:
        ring(app, started.run, float(runtime.settings.redrive_seconds))


@app.task(name="schedule.redrive")
def redrive() -> None:
    """Ring for every unfinished run."""
    ring_waiting(app, process_runtime(), {GENERATION, RETRIEVAL})
