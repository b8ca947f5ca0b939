"""The stage of a run, and the step to the next stage.

The worker that finds the last shard of a stage done takes the step under the run's row lock; the
step is idempotent. A run with a canary passes all stages twice, see ``begin_rest``.
"""

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.copy import analyze_tables
from gpt4rec_es.db.engine import disable_statement_timeout, retrying
from gpt4rec_es.db.rows import canary, shard_plans
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows import shards as shard_rows
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.night.inputs.near import near_searches
from gpt4rec_es.version import code_version

GENERATION = "generation"
RETRIEVAL = "retrieval"
# Users are embedded where queries are generated: these workers have torch and the GPU, and a night
# passes from one queue to the other once, and once more with its canary.
STAGES_OF = {GENERATION: ("generate", "embed"), RETRIEVAL: ("search", "merge")}


def queue_of(run: Run) -> str | None:
    """Return the queue whose workers do the run's next step; None: the run is finished."""
    if run.is_finished:
        return None
    stage = STAGE_OF.get(run.state, "merge")
    return GENERATION if run.state == "planned" or stage in STAGES_OF[GENERATION] else RETRIEVAL


def waiting(connection: Connection) -> list[tuple[str, str]]:
    """Return (queue, run id) of every unfinished run of this code with unleased work."""
    found = []
    for run in run_rows.unfinished(connection):
        queue = queue_of(run)
        if queue and run.code_version == code_version() and _is_waiting(connection, run):
            found.append((queue, run.run_id))
    return found


def _is_waiting(connection: Connection, run: Run) -> bool:
    stage = STAGE_OF.get(run.state)
    if stage is None:  # planned or checking: the next step is not a shard
        return True
    # No open shard: the worker of the last one was killed before it advanced the run.
    return shard_rows.count_claimable(connection, run.run_no, stage) > 0 or not shard_rows.has_open(
        connection, run.run_no, stage
    )


STATE_OF = {
    "generate": "generating",
    "embed": "embedding",
    "search": "searching",
    "merge": "merging",
}
STAGE_OF = {state: stage for stage, state in STATE_OF.items()}


def advance(engine: Engine, run_no: int) -> Run:
    """Advance the run to the first stage with work left, or to ``checking``; return the run.

    A finished run, or one that another worker is advancing, is returned unchanged.
    """
    run = retrying(engine, lambda connection: _if_under_way(connection, run_no))
    # Workers take the lock only if they find no open shard, so that they do not queue for it.
    return run or retrying(engine, lambda connection: _advance(connection, run_no))


def _if_under_way(connection: Connection, run_no: int) -> Run | None:
    """Return the run if it is finished or its stage has open shards; None: a step may be due."""
    run = run_rows.load(connection, run_no)
    stage = STAGE_OF.get(run.state)
    if run.is_finished or (stage and shard_rows.has_open(connection, run_no, stage)):
        return run
    return None


def _advance(connection: Connection, run_no: int) -> Run:
    state = run_rows.lock_state_now(connection, run_no)
    run = run_rows.load(connection, run_no)
    if state is None:
        return run  # another worker is advancing the run; the caller retries
    disable_statement_timeout(connection)  # planning shards reads all queries of the run
    while not run.is_finished and state != "checking":
        if state in STAGE_OF and shard_rows.has_open(connection, run_no, STAGE_OF[state]):
            break
        state = _next_state(run, state)
        _make_shards(connection, run, state)
        run_rows.set_state(connection, run_no, state)
    return run_rows.load(connection, run_no)


def _next_state(run: Run, state: str) -> str:
    """Return the state after ``state``; a run without a re-ranker embeds no user."""
    order = ["planned", *STATE_OF.values(), "checking"]
    if run.reranker_no is None:
        order.remove(STATE_OF["embed"])
    return order[order.index(state) + 1]


def begin_rest(connection: Connection, run: Run) -> None:
    """Let the users apart from the canary be served, from the first stage on.

    The caller has locked the run's row.
    """
    canary.mark_passed(connection, run.run_no)
    run = run_rows.load(connection, run.run_no)
    disable_statement_timeout(connection)
    shard_plans.plan_generate(connection, run, run.manifest["shard_sizes"]["generate"])
    run_rows.set_state(connection, run.run_no, STATE_OF["generate"])


def _make_shards(connection: Connection, run: Run, state: str) -> None:
    """Create the shards of the new stage; those of generate were created at planning.

    Statistics of what the stage before stored are collected first: autovacuum comes a minute later,
    and gates and analysts must not wait for bad plans.
    """
    sizes = run.manifest["shard_sizes"]
    if state == STATE_OF["embed"]:
        shard_plans.plan_embed(connection, run, sizes["merge"])
    elif state == STATE_OF["search"]:
        analyze_tables(connection, ("generations", "generated_queries", "queries"))
        shard_plans.plan_search(connection, run, near_searches(run.manifest), sizes["search"])
    elif state == STATE_OF["merge"]:
        vectors = () if run.reranker_no is None else (f"run_user_vectors_{run.run_no}",)
        analyze_tables(connection, ("searches", *vectors))
        shard_plans.plan_merge(connection, run, sizes["merge"])
    elif state == "checking":
        analyze_tables(connection, (f"recommendations_{run.run_no}", f"user_outcomes_{run.run_no}"))
