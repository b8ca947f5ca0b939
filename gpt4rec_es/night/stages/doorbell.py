"""Which queues should be rung for which runs, from the tables alone; it rings nobody itself."""

from sqlalchemy import Connection

from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows import shards as shard_rows
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.night.stages.advance import STAGE_OF
from gpt4rec_es.version import code_version

GENERATION = "generation"
RETRIEVAL = "retrieval"
STAGES_OF = {GENERATION: ("generate",), RETRIEVAL: ("search", "merge")}


def queue_of(run: Run) -> str | None:
    """Return the queue whose workers have the run's next step; None when it is finished."""
    if run.is_finished:
        return None
    return GENERATION if run.state in {"planned", "generating"} else RETRIEVAL


def waiting(connection: Connection) -> list[tuple[str, str]]:
    """Return (queue, run id) of every unfinished run of this code with work that nobody holds."""
    rings = []
    for run in run_rows.unfinished(connection):
        queue = queue_of(run)
        if queue and run.code_version == code_version() and _is_waiting(connection, run):
            rings.append((queue, run.run_id))
    return rings


def _is_waiting(connection: Connection, run: Run) -> bool:
    stage = STAGE_OF.get(run.state)
    if stage is None:  # planned or checking: the next step is not a shard
        return True
    # No open shard means that whoever did the last one died before taking the run further.
    return shard_rows.count_claimable(connection, run.run_no, stage) > 0 or not shard_rows.has_open(
        connection, run.run_no, stage
    )
