"""Queue ``retrieval``: searching, merging, checking and publishing."""

from gpt4rec_es.night.stages.doorbell import RETRIEVAL
from workers.celery import app
from workers.drain import drain_queue


@app.task(name="recommendations.drain")
def drain(run_id: str) -> None:
    """Search, merge, check and publish what the run lacks."""
    drain_queue(app, RETRIEVAL, run_id)
