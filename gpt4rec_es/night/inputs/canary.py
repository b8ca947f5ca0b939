"""Choose the canary of a run: how many users are served and judged before all others."""

import math

from sqlalchemy import Connection

from gpt4rec_es.db.rows import canary as rows
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.night.inputs.manifest import differing_inputs
from gpt4rec_es.options.gates import GateLimits


def choose_canary(connection: Connection, run: Run) -> Run:
    """Return the run with its canary, if it has one: see ``rows.choose``."""
    limits = GateLimits.from_dict(run.manifest["gates"])
    if limits.canary_share == 0:
        return run
    users = max(limits.canary_users, math.ceil(limits.canary_share * run.cohort_size))
    published = run_rows.published(connection, run.kind)
    before = None if published is None else run_rows.load(connection, published).manifest
    is_new = before is None or bool(differing_inputs(before, run.manifest))
    rows.choose(connection, run, users, also_if_stored=is_new)
    return run_rows.load(connection, run.run_no)
