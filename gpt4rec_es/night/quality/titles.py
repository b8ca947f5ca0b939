"""Searches of newest bought titles, the list that published ones are compared with.

Most recipes search them anyway; those that do not are completed here, on the run's own build.
"""

from functools import partial

from sqlalchemy import Connection

from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.rows import builds
from gpt4rec_es.db.rows.quality_kept import unsearched_titles
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.texts import NO_OPTIONS, load_queries, store_searches
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.options.lists import ANY_TERM

_BATCH = 2000


def search_titles(parts: NightParts, run: Run, *, buyers_in: Connection | None = None) -> int:
    """Search the newest titles of a run's users that are not searched; return their number.

    buyers_in: the session with the purchases of ``later_purchases``: only titles of users
    that bought; None: of all users. Nothing is searched for a run that is pruned, or whose index
    is deleted.

    Raises:
        DependencyError: Elasticsearch cannot be reached.
    """
    if (
        run.pruned_at
        or retrying(parts.engine, lambda c: builds.load(c, run.build_no)).state != "ready"
    ):
        return 0
    retriever = None
    last = done = 0
    while numbers := _next(parts, run, last, buyers_in):
        retriever = retriever or parts.open_retriever(run.index_name, run.run_id)
        texts = retrying(parts.engine, partial(load_queries, query_nos=numbers))
        pairs = list(zip(numbers, retriever.search(texts, run.depth, ANY_TERM), strict=True))
        store = partial(store_searches, build_no=run.build_no, depth=run.depth, results=pairs)
        retrying(parts.engine, partial(store, options_no=NO_OPTIONS))
        last, done = numbers[-1], done + len(numbers)
    return done


def _next(parts: NightParts, run: Run, after: int, buyers_in: Connection | None) -> list[int]:
    if buyers_in is not None:
        with buyers_in.begin():
            return unsearched_titles(buyers_in, run, after=after, most=_BATCH, buyers_only=True)
    return retrying(
        parts.engine,
        lambda c: unsearched_titles(c, run, after=after, most=_BATCH, buyers_only=False),
    )
