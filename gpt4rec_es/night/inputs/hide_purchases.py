"""Hide the last purchase of a sample of users, to measure how often a run's recipe finds it."""

from sqlalchemy import Connection

from gpt4rec_es.db.rows import held_out as rows
from gpt4rec_es.db.rows.history import load_histories
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.night.inputs.cohort import frozen_input
from gpt4rec_es.options.gates import GateLimits
from gpt4rec_es.protocols import QueryGenerator
from gpt4rec_es.retrieval.query_filters import TitleTest

# A sample of fewer users says nothing.
FEWEST = 20


def freeze_held_out(
    connection: Connection,
    run: Run,
    generator: QueryGenerator | None,
    may_search: TitleTest,
) -> int:
    """Store a sample of the run's users without their last purchase; return their number.

    The sample is the same in every night, but for users that come or go. generator, may_search: as
    for the cohort.
    """
    limits = GateLimits.from_dict(run.manifest["gates"])
    most = min(limits.held_out_users, int(limits.held_out_share * run.cohort_size))
    if most < FEWEST:
        return 0
    users = rows.choose(connection, run.run_no, most)
    histories = load_histories(connection, users, run.history_version)
    stored = []
    for user, history in histories.items():
        *known, (target, _, _) = history
        frozen = frozen_input(generator, known, may_search)
        stored.append(
            {
                "user_no": user,
                "target": target,
                "bought": [item_no for item_no, _, _ in reversed(known)],
                "prompt_hex": frozen.prompt_hash and frozen.prompt_hash.hex(),
                "prompt": frozen.prompt,
                "n_tokens": frozen.n_tokens,
                "last_hex": frozen.last_hash and frozen.last_hash.hex(),
                "last_text": frozen.last_text,
            }
        )
    rows.store(connection, run.run_no, stored)
    return len(stored)
