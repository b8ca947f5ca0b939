"""The generate stage: queries for prompts without a generation by this generator and decoding."""

import logging
import time

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.rows.generations import store_generations
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.texts import load_prompts
from gpt4rec_es.night.stages.leases import Lease, Work
from gpt4rec_es.prompts.keys import hash128
from gpt4rec_es.protocols import QueryGenerator
from gpt4rec_es.records import Decoding

log = logging.getLogger(__name__)


def generate_shard(engine: Engine, run: Run, lease: Lease, generator: QueryGenerator) -> Work:
    """Generate queries for all prompts of the shard; return the work.

    It counts the tokens of all hypotheses, and the queries.
    """
    members = lease.shard.members
    with engine.connect() as connection:
        texts = load_prompts(connection, members)
    decoding = Decoding(**run.manifest["decoding"])
    started = time.monotonic()
    generations = generator.generate(texts, decoding)
    tokens = sum(g.tokens_generated for g in generations)
    seconds = max(time.monotonic() - started, 1e-9)
    log.info(
        "generated",
        extra={
            "shard": lease.shard.shard_no,
            "users": len(texts),
            "tokens": tokens,
            "users_per_s": round(len(texts) / seconds, 1),
            "tokens_per_s": round(tokens / seconds),
        },
    )
    lease.check()
    hashes = {q.text: hash128(q.text) for g in generations for q in g.queries}

    def store(connection: Connection) -> int:
        return store_generations(
            connection,
            run.content_hash,
            run.decoding_no,
            list(zip(members, generations, strict=True)),
            hashes,
        )

    queries = sum(len(g.queries) for g in generations)
    return Work(store, {"tokens": tokens, "queries": queries})
