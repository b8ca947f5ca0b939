"""Reindex: a fresh build of the whole catalog beside the live one, proven, then swapped in.

Searches go on undisturbed on the old build until the one step that moves the alias. A build that
fails is removed and recorded; what a killed one left is removed by the next.
"""

import logging
import time
from dataclasses import dataclass, field
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
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.records import Bm25

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReindexOptions:
    """What is built behind which alias.

    bm25: for the first build of the alias only; later ones take over what is live. keep: builds
    kept for going back, besides the live one.
    """

    alias: str = "items"
    build: BuildOptions = field(default_factory=BuildOptions)
    bm25: Bm25 = field(default_factory=Bm25)
    keep: int = 2


@dataclass(frozen=True, slots=True)
class ReindexPlan:
    """What a reindex would do now. documents: to be sent."""

    alias: str
    live: list[str]
    documents: int
    catalog_version: int
    bm25: Bm25
    would_delete: list[str]


@dataclass(frozen=True, slots=True)
class ReindexReport:
    """What a reindex did. resent: documents that were sent again after a refusal."""

    build: Build
    replaced: list[str]
    deleted: list[str]
    documents: int
    requests: int
    resent: int
    seconds: float

    @classmethod
    def of(
        cls,
        build: Build,
        replaced: list[str],
        deleted: list[str],
        counts: BulkCounts,
        started: float,
    ) -> Self:
        """Return the report of what ``started`` then, by the monotonic clock, and ends now."""
        seconds = time.monotonic() - started
        sent, requests, resent = counts.sent, counts.requests, counts.resent
        return cls(build, replaced, sorted(deleted), sent, requests, resent, seconds)


def plan_reindex(engine: Engine, client: Elasticsearch, options: ReindexOptions) -> ReindexPlan:
    """Return what ``reindex`` would do now; changes nothing.

    Raises as ``reindex`` does, without beginning.
    """
    index_body(options.bm25, options.build.analysis)
    new_index_name(options.alias)
    with plain_errors(client), catalog_snapshot(engine) as snapshot:
        _refuse_empty(snapshot)
        orphans = find_orphans(engine, client, options.alias)
        return ReindexPlan(
            options.alias,
            alias_targets(client, options.alias),
            snapshot.document_count,
            snapshot.catalog_version,
            live.recorded_bm25(engine, options.alias, options.bm25),
            sorted([*orphans, *_unneeded_after_swap(engine, client, options)]),
        )


def _unneeded_after_swap(
    engine: Engine, client: Elasticsearch, options: ReindexOptions
) -> list[str]:
    """Return the indices of builds that a swap to a new build would leave unneeded."""
    # What is live now will be the first of those kept for going back.
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
    """Build the catalog anew, verify it, point the alias to it and return what was done.

    ``progress`` counts documents.

    Raises:
        ConflictError: another process builds or tunes behind this alias.
        DataError: no item has a title, a document is refused, or verification failed.
        UsageError: a bad option, or an index stands where the alias should be.
        DependencyError: a server cannot be reached. In all cases what was live stays live.
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
    live.reconcile(engine, client, alias)
    deleted = remove_orphans(engine, client, alias)
    replaced = alias_targets(client, alias)
    bm25 = live.recorded_bm25(engine, alias, options.bm25)
    with catalog_snapshot(engine) as snapshot:
        _refuse_empty(snapshot)
        like = replaced[0] if replaced else None
        replicas = options.build.replicas
        require_room_for(client, snapshot.document_count, like=like, replicas=replicas)
        build, counts = full_build(
            engine,
            client,
            snapshot,
            alias,
            bm25,
            options.build,
            actor=actor,
            reason=reason,
            progress=progress,
        )
    live.make_live(engine, client, lock, build, action="reindex", actor=actor, reason=reason)
    deleted += prune_builds(engine, client, alias, options.keep)
    return ReindexReport.of(build, replaced, deleted, counts, started)


def _refuse_empty(snapshot: CatalogSnapshot) -> None:
    # An empty index would answer every search with nothing, and nobody would notice.
    if snapshot.document_count == 0:
        raise DataError(
            "The catalog has no item with a title, so there is nothing to index.",
            "Load one with `gpt4rec import items FILE`.",
        )
