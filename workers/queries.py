"""Queue ``generation``: writing queries with the model."""

from gpt4rec_es.night.stages.doorbell import GENERATION
from workers.celery import app
from workers.drain import drain_queue


@app.task(name="queries.drain")
def drain(run_id: str) -> None:
    """Generate what the run lacks."""
    drain_queue(app, GENERATION, run_id)
