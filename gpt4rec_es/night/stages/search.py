"""The search stage: each distinct query text once per build, depth and search options.

Generated queries that pass the filters are searched with the run's search options; bought titles
are searched without filters and options. Where the recipe says so, either is searched by vectors,
which is one search for a text in both roles.
"""

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.rows.filters import store_verdicts
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.texts import NO_OPTIONS, lacking_searches, load_queries, store_searches
from gpt4rec_es.night.inputs.near import near_options_of, near_searches
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
    members, near = lease.shard.members, near_searches(run.manifest)
    with engine.connect() as connection:
        texts = dict(zip(members, load_queries(connection, members), strict=True))
        lacking = lacking_searches(connection, run, members, (near.near_no, near.near_depth))
    judged = (
        [PASSED] * len(members) if check_queries is None else check_queries(list(texts.values()))
    )
    verdicts = dict(zip(members, judged, strict=True))
    passed = {n for n in members if verdicts[n] == PASSED}
    as_query = {n for n in passed if lacking[n].as_query}
    as_title = {n for n in members if lacking[n].as_title and near.titles_by_words}
    roles = {run.search_options_no: as_query}
    roles[NO_OPTIONS] = roles.get(NO_OPTIONS, set()) | as_title
    options = {run.search_options_no: search_options_of(run.manifest), NO_OPTIONS: ANY_TERM}
    asked = [(number, options[number], run.depth, texts_of) for number, texts_of in roles.items()]
    if near.near_no:
        by_vectors = {
            n
            for n in members
            if lacking[n].by_vectors
            and (
                (near.queries_by_vectors and lacking[n].is_query and n in passed)
                or (near.titles_by_vectors and lacking[n].is_title)
            )
        }
        of_encoder = near_options_of(run.manifest)
        asked.append((near.near_no, of_encoder, near.near_depth, by_vectors))
    found = []
    for options_no, search_options, depth, numbers in asked:
        wanted = sorted(numbers)
        results = retriever.search([texts[number] for number in wanted], depth, search_options)
        found.append((options_no, depth, list(zip(wanted, results, strict=True))))
    lease.check()

    def store(connection: Connection) -> int:
        if run.filters_no is not None:
            rows = ((number, *verdict) for number, verdict in verdicts.items())
            store_verdicts(connection, run.filters_no, rows)
        return sum(
            store_searches(connection, run.build_no, depth, pairs, options_no)
            for options_no, depth, pairs in found
        )

    return Work(store, {"searches": sum(len(pairs) for *_, pairs in found)})
