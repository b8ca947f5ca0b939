"""The search stage: each distinct query text once per build and depth."""

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.runs import Run
from gpt4rec_es.db.texts import load_queries, store_searches
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.runs.ledger import Lease, Work


def search_shard(engine: Engine, run: Run, lease: Lease, retriever: Retriever) -> Work:
    """Search the pinned build for the shard's queries; return the work."""
    members = lease.shard.members
    with engine.connect() as connection:
        texts = load_queries(connection, members)
    results = retriever.search(texts, run.depth)
    lease.check()

    def store(connection: Connection) -> int:
        return store_searches(
            connection, run.build_no, run.depth, zip(members, results, strict=True)
        )

    return Work(store, {"searches": len(members)})
