"""The search stage: each distinct query text once per build, depth and search options.

Generated queries that pass the filters are searched with the run's search options; bought titles
are searched without filters and options.
"""

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.rows.filters import store_verdicts
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.texts import NO_OPTIONS, lacking_searches, load_queries, store_searches
from gpt4rec_es.night.inputs.rules import search_options_of
from gpt4rec_es.night.stages.leases import Lease, Work
from gpt4rec_es.options.lists import ANY_TERM
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.retrieval.query_filters import PASSED, QueryCheck


def search_shard(
    engine: Engine, run: Run, lease: Lease, retriever: Retriever, check_queries: QueryCheck | None
) -> Work:
    """Search the pinned build for the shard's queries; return the work.

    check_queries: the run's filters; None: no filters.
    """
    members = lease.shard.members
    with engine.connect() as connection:
        texts = dict(zip(members, load_queries(connection, members), strict=True))
        lacking = lacking_searches(connection, run, members)
    judged = (
        [PASSED] * len(members) if check_queries is None else check_queries(list(texts.values()))
    )
    verdicts = dict(zip(members, judged, strict=True))
    as_query = {n for n in members if lacking[n].as_query and verdicts[n] == PASSED}
    as_title = {n for n in members if lacking[n].as_title}
    roles = {run.search_options_no: as_query}
    roles[NO_OPTIONS] = roles.get(NO_OPTIONS, set()) | as_title
    options = {run.search_options_no: search_options_of(run.manifest), NO_OPTIONS: ANY_TERM}
    found = []
    for options_no, numbers in roles.items():
        wanted = sorted(numbers)
        results = retriever.search(
            [texts[number] for number in wanted], run.depth, options[options_no]
        )
        found.append((options_no, list(zip(wanted, results, strict=True))))
    lease.check()

    def store(connection: Connection) -> int:
        if run.filters_no is not None:
            rows = ((number, *verdict) for number, verdict in verdicts.items())
            store_verdicts(connection, run.filters_no, rows)
        return sum(
            store_searches(connection, run.build_no, run.depth, pairs, options_no)
            for options_no, pairs in found
        )

    return Work(store, {"searches": sum(len(pairs) for _, pairs in found)})
