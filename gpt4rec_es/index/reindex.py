"""Reindex: a new build of the whole catalog, verified, then made live by an alias swap.

Searches use the old build until the alias swap. A failed build is deleted and recorded; leftovers
of a killed one are deleted by the next reindex.
"""

import logging
import time
from dataclasses import dataclass, field, replace
from typing import Self

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.locks import HeldLock
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.documents import CatalogSnapshot, catalog_snapshot
from gpt4rec_es.elastic.alias import alias_targets
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.elastic.names import new_index_name
from gpt4rec_es.errors import DataError
from gpt4rec_es.gc_freeze import freeze_gc
from gpt4rec_es.index import live
from gpt4rec_es.index.building import BuildOptions, full_build
from gpt4rec_es.index.bulk import BulkCounts
from gpt4rec_es.index.inspect import require_room_for
from gpt4rec_es.index.mapping import index_body
from gpt4rec_es.index.prune import find_orphans, prunable, prune_builds, remove_orphans
from gpt4rec_es.index.title_vectors import (
    OpenEncoder,
    TitleVectors,
    chosen_encoder,
    count_missing,
    field_for,
    open_none,
)
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.records import Bm25

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReindexOptions:
    """Options of a reindex.

    bm25: for the first build of the alias only; later ones use the values of the live build. keep:
    number of builds kept for rollback, besides the live one. take_over: move the alias also from
    indices that are not of this database. encoder: name of the registered encoder whose vectors of
    titles the build holds; "none": it holds none; None: those of the live build. open_encoder:
    opens it.
    """

    alias: str = "items"
    build: BuildOptions = field(default_factory=BuildOptions)
    bm25: Bm25 = field(default_factory=Bm25)
    keep: int = 2
    take_over: bool = False
    encoder: str | None = None
    open_encoder: OpenEncoder = open_none


@dataclass(frozen=True, slots=True)
class ReindexPlan:
    """Plan of a reindex. documents: number of documents to send.

    encoder: None: no vectors. to_encode: titles that it has not encoded yet.
    """

    alias: str
    live: list[str]
    documents: int
    catalog_version: int
    bm25: Bm25
    would_delete: list[str]
    encoder: str | None = None
    to_encode: int = 0


@dataclass(frozen=True, slots=True)
class ReindexReport:
    """Report of a reindex. resent: number of documents sent again after a refusal.

    encoder: name of that of the build's vectors; None: it has none. encoded: titles without a
    vector before. unknown: items without a vector, as the encoder knows no token of their title.
    """

    build: Build
    replaced: list[str]
    deleted: list[str]
    documents: int
    requests: int
    resent: int
    seconds: float
    encoder: str | None = None
    encoded: int = 0
    unknown: int = 0

    @classmethod
    def of(
        cls,
        build: Build,
        replaced: list[str],
        deleted: list[str],
        counts: BulkCounts,
        started: float,
        vectors: TitleVectors | None,
    ) -> Self:
        """Return the report of a reindex that ends now; ``started``: by the monotonic clock."""
        seconds = time.monotonic() - started
        sent, requests, resent = counts.sent, counts.requests, counts.resent
        report = cls(build, replaced, sorted(deleted), sent, requests, resent, seconds)
        if vectors is None:
            return report
        name, unknown = vectors.row.name, sent - vectors.indexed
        return replace(report, encoder=name, encoded=vectors.encoded, unknown=unknown)


def plan_reindex(engine: Engine, client: Elasticsearch, options: ReindexOptions) -> ReindexPlan:
    """Return what ``reindex`` would do now; changes nothing.

    Raises as ``reindex`` does.
    """
    index_body(options.bm25, options.build.analysis)
    new_index_name(options.alias)
    with plain_errors(client), catalog_snapshot(engine) as snapshot:
        _refuse_empty(snapshot)
        live.require_own_alias(engine, client, options.alias, take_over=options.take_over)
        encoder = chosen_encoder(engine, client, options.alias, options.encoder)
        if encoder is not None:
            options.open_encoder(encoder)  # a plan that could not be carried out is none
        orphans = find_orphans(engine, client, options.alias)
        return ReindexPlan(
            options.alias,
            alias_targets(client, options.alias),
            snapshot.document_count,
            snapshot.catalog_version,
            live.recorded_bm25(engine, options.alias, options.bm25)[0],
            sorted([*orphans, *_unneeded_after_swap(engine, client, options)]),
            None if encoder is None else encoder.name,
            0 if encoder is None else count_missing(engine, encoder, snapshot.documents()),
        )


def _unneeded_after_swap(
    engine: Engine, client: Elasticsearch, options: ReindexOptions
) -> list[str]:
    """Return the indices of builds that a swap to a new build would leave unneeded."""
    # The live build will be the first of those kept for rollback.
    old = prunable(engine, client, options.alias, max(options.keep - 1, 0))
    return [build.index_name for build in old]


def reindex(
    engine: Engine,
    client: Elasticsearch,
    options: ReindexOptions,
    *,
    actor: str,
    reason: str | None = None,
    progress: Progress = no_progress,
) -> ReindexReport:
    """Build the catalog again, verify the build, swap the alias and return a report.

    ``progress`` counts documents.

    Raises:
        ConflictError: another process builds or tunes behind this alias.
        DataError: no item has a title, a document is refused, or verification failed.
        UsageError: a bad option, an index has the name of the alias, or the alias is another's.
        DependencyError: a server cannot be reached. The live build stays live in all cases.
    """
    freeze_gc()
    with plain_errors(client), live.index_lock(engine, options.alias) as lock:
        return build_all(engine, client, options, lock, actor, reason, progress)


def build_all(
    engine: Engine,
    client: Elasticsearch,
    options: ReindexOptions,
    lock: HeldLock,
    actor: str,
    reason: str | None,
    progress: Progress,
) -> ReindexReport:
    """Do what ``reindex`` does; the caller holds the lock."""
    started = time.monotonic()
    alias = options.alias
    live.require_own_alias(engine, client, alias, take_over=options.take_over, actor=actor)
    live.reconcile(engine, client, alias)
    deleted = remove_orphans(engine, client, alias)
    replaced = alias_targets(client, alias)
    bm25, field_bm25 = live.recorded_bm25(engine, alias, options.bm25)
    row = chosen_encoder(engine, client, alias, options.encoder)
    vectors = None if row is None else TitleVectors(engine, row, options.open_encoder(row))
    with catalog_snapshot(engine) as snapshot:
        _refuse_empty(snapshot)
        vector_bytes = 0
        if row is not None:
            vector_bytes = field_for(row, snapshot.document_count).bytes_per_document
        require_room_for(
            client,
            snapshot.document_count,
            like=replaced[0] if replaced else None,
            replicas=options.build.replicas,
            vector_bytes=vector_bytes,
        )
        build, counts = full_build(
            engine,
            client,
            snapshot,
            alias,
            bm25,
            options.build,
            actor=actor,
            reason=reason,
            field_bm25=field_bm25,
            vectors=vectors,
            progress=progress,
        )
    live.make_live(engine, client, lock, build, action="reindex", actor=actor, reason=reason)
    deleted += prune_builds(engine, client, alias, options.keep)
    if vectors is not None:
        vectors.forget_others()
    return ReindexReport.of(build, replaced, deleted, counts, started, vectors)


def _refuse_empty(snapshot: CatalogSnapshot) -> None:
    # With an empty index every search would find nothing, without an error.
    if snapshot.document_count == 0:
        raise DataError(
            "The catalog has no item with a title, so there is nothing to index.",
            "Load one with `gpt4rec import items FILE`.",
        )
