"""Verification on the server: a build with the chosen k1, b has the hits of this process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.elastic.similarity import FieldBm25, same_bm25, same_field_bm25
from gpt4rec_es.errors import DataError
from gpt4rec_es.index import live
from gpt4rec_es.index.bm25 import reusable_build
from gpt4rec_es.index.building import derived_build
from gpt4rec_es.index.prune import remove_build
from gpt4rec_es.lab.bm25.index import MemoryIndex
from gpt4rec_es.lab.bm25.retriever import Analyze, MemoryRetriever
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.records import Bm25, SearchResult
from gpt4rec_es.retrieval import ElasticRetriever


@contextmanager
def build_with(
    engine: Engine,
    client: Elasticsearch,
    build: Build,
    bm25: Bm25,
    *,
    field_bm25: FieldBm25 | None = None,
    actor: str,
    keep: bool,
) -> Iterator[Build]:
    """Yield a ready build with the documents of ``build`` and these k1, b.

    field_bm25: k1, b of fields beside the title; None: those of ``build``. keep: keep a newly
    created build, unless the block fails.

    Raises:
        ConflictError: another process builds or tunes behind this alias.
        DataError: the clone does not use the values; it was removed.
        DependencyError: a server cannot be reached.
    """
    wanted = build if field_bm25 is None else replace(build, field_bm25=field_bm25)
    if same_bm25(build.bm25, bm25) and same_field_bm25(build.field_bm25, wanted.field_bm25):
        yield build
        return
    with plain_errors(client), live.index_lock(engine, build.alias):
        found = reusable_build(engine, client, wanted, bm25)
        if found is not None:
            yield found
            return
        made = derived_build(
            engine,
            client,
            build,
            bm25,
            actor=actor,
            reason="tuning",
            field_bm25=wanted.field_bm25,
        )
        try:
            yield made
        except BaseException:
            keep = False
            raise
        finally:
            if not keep:
                remove_build(engine, client, made)


def verify_hits(
    client: Elasticsearch,
    build: Build,
    index: MemoryIndex,
    analyze: Analyze,
    texts: Sequence[str],
    depth: int,
    options: SearchOptions = ANY_TERM,
) -> int:
    """Return the number of ``texts`` after comparing their best ``depth`` hits and scores.

    Raises:
        DataError: the build and this process differ.
        DependencyError: Elasticsearch cannot answer.
    """
    expected = ElasticRetriever(client, build.index_name).search(texts, depth, options)
    memory = MemoryRetriever(index, build.bm25, analyze, build.field_bm25)
    found = memory.search(texts, depth, options)
    wrong = [
        text
        for text, one, other in zip(texts, expected, found, strict=True)
        if _comparable(one) != _comparable(other)
    ]
    if wrong:
        raise DataError(
            f"For {len(wrong)} of {len(texts)} queries, such as {wrong[0]!r}, {build.index_name} "
            "finds other items than were measured.",
            "Nothing was stored. This is a fault of the program: please report it.",
        )
    return len(texts)


def _comparable(result: SearchResult) -> tuple[object, ...]:
    # The server writes single-precision scores as decimal numbers.
    return result.item_nos, np.array(result.scores, np.float32).tolist()
