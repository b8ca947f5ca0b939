"""The search stage: each distinct query text once per build and depth, if the filters let it."""

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.filters import store_verdicts, to_search
from gpt4rec_es.db.runs import Run
from gpt4rec_es.db.texts import load_queries, store_searches
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.runs.filters import Judge
from gpt4rec_es.runs.ledger import Lease, Work


def search_shard(
    engine: Engine, run: Run, lease: Lease, retriever: Retriever, judge: Judge | None
) -> Work:
    """Search the pinned build for the shard's queries; return the work.

    judge: the run's filters; None: it has none.
    """
    members = lease.shard.members
    with engine.connect() as connection:
        texts = load_queries(connection, members)
    if judge is None:
        wanted, verdicts = list(zip(members, texts, strict=True)), []
    else:
        with engine.connect() as connection:
            searched, titles = to_search(connection, run.run_no, run.build_no, run.depth, members)
        verdicts = [
            (number, *verdict) for number, verdict in zip(members, judge(texts), strict=True)
        ]
        wanted = [
            (number, text)
            for (number, reason, _), text in zip(verdicts, texts, strict=True)
            if number not in searched and (reason is None or number in titles)
        ]
    results = retriever.search([text for _, text in wanted], run.depth)
    lease.check()

    def store(connection: Connection) -> int:
        if run.filters_no is not None:
            store_verdicts(connection, run.filters_no, verdicts)
        pairs = zip((number for number, _ in wanted), results, strict=True)
        return store_searches(connection, run.build_no, run.depth, pairs)

    return Work(store, {"searches": len(wanted)})
