"""Reindex by changes: a clone of the live build with what changed since, proven, then swapped in.

For catalogs of which little changes a day. It refuses where a full build is due: another analyzer,
or so many replaced documents that scores would drift.
"""

import time
from dataclasses import dataclass

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.locks import HeldLock
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.documents import CatalogChanges, CatalogSnapshot, catalog_snapshot
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.errors import UsageError
from gpt4rec_es.index import live
from gpt4rec_es.index.bulk import BulkCounts
from gpt4rec_es.index.changed import changed_build
from gpt4rec_es.index.inspect import count_segments, highest_item_no, require_room_for
from gpt4rec_es.index.mapping import mapping_hash
from gpt4rec_es.index.prune import find_orphans, prune_builds, remove_orphans
from gpt4rec_es.index.reindex import ReindexOptions, ReindexPlan, ReindexReport, gone_after_swap
from gpt4rec_es.protocols import Progress, no_progress

# Far below the number at which merging would begin by itself, see index/builds.py.
_MOST_SEGMENTS = 100
_FULL = "Run `gpt4rec reindex` for a full build."


@dataclass(frozen=True, slots=True)
class _Due:
    """What there is to do: from which build, what changed, and the share that leaves deleted."""

    parent: Build
    changes: CatalogChanges
    deleted_share: float

    @property
    def documents(self) -> int:
        """How many documents are sent or deleted."""
        return self.changes.documents + self.changes.untitled


def plan_changes(engine: Engine, client: Elasticsearch, options: ReindexOptions) -> ReindexPlan:
    """Return what ``reindex_changes`` would do now; changes nothing.

    Raises as ``reindex_changes`` does, without beginning.
    """
    with plain_errors(client), catalog_snapshot(engine) as snapshot:
        due = _due(engine, client, snapshot, options)
        is_current = due.parent.catalog_version == snapshot.catalog_version
        old = [] if is_current else gone_after_swap(engine, client, options)
        return ReindexPlan(
            options.alias,
            [due.parent.index_name],
            due.documents,
            snapshot.catalog_version,
            due.parent.bm25,
            sorted([*find_orphans(engine, client, options.alias), *old]),
        )


def reindex_changes(
    engine: Engine,
    client: Elasticsearch,
    options: ReindexOptions,
    *,
    actor: str,
    reason: str | None = None,
    progress: Progress = no_progress,
) -> ReindexReport:
    """Bring what changed since the live build into a new one, point the alias to it, and report.

    Where nothing changed, the live build is returned as it is. ``progress`` counts documents.

    Raises:
        UsageError: a full build is due: none is live, the analyzer changed, there were very many
            builds by changes, or more than ``options.max_deleted_share`` of the documents would
            be replaced ones.
        ConflictError: another process builds or tunes behind this alias.
        DataError: a document is refused, or verification failed.
        DependencyError: a server cannot be reached, or has no room. In all cases what was live
            stays live.
    """
    with plain_errors(client), live.index_lock(engine, options.alias) as lock:
        return build_changes(engine, client, options, lock, actor, reason, progress)


def build_changes(
    engine: Engine,
    client: Elasticsearch,
    options: ReindexOptions,
    lock: HeldLock,
    actor: str,
    reason: str | None,
    progress: Progress,
) -> ReindexReport:
    """Do what ``reindex_changes`` does; whoever calls holds the lock."""
    started = time.monotonic()
    alias = options.alias
    live.reconcile(engine, client, alias)
    deleted = remove_orphans(engine, client, alias)
    with catalog_snapshot(engine) as snapshot:
        due = _due(engine, client, snapshot, options)
        parent = due.parent
        if parent.catalog_version == snapshot.catalog_version:
            return ReindexReport.of(parent, [], deleted, BulkCounts(), started)
        replicas = options.build.replicas
        require_room_for(client, due.documents, like=parent.index_name, replicas=replicas)
        build, counts = changed_build(
            engine,
            client,
            snapshot,
            parent,
            due.changes,
            options.build,
            actor=actor,
            reason=reason,
            progress=progress,
        )
    live.make_live(engine, client, lock, build, action="reindex", actor=actor, reason=reason)
    deleted += prune_builds(engine, client, alias, options.keep)
    return ReindexReport.of(build, [parent.index_name], deleted, counts, started)


def _due(
    engine: Engine, client: Elasticsearch, snapshot: CatalogSnapshot, options: ReindexOptions
) -> _Due:
    parent = live.live_build(engine, client, options.alias)
    if parent.mapping_hash != mapping_hash(options.build.analysis):
        raise UsageError("The mapping or the analyzer changed since the live build.", _FULL)
    if count_segments(client, parent.index_name) > _MOST_SEGMENTS:
        raise UsageError(
            f"The live build has come together from more than {_MOST_SEGMENTS} parts by changes, "
            "which makes searches slow.",
            _FULL,
        )
    changes = snapshot.count_changes(
        since=parent.catalog_version, known_item_no=highest_item_no(client, parent.index_name)
    )
    deleted = (parent.deleted_documents or 0) + changes.replaced
    share = deleted / max(deleted + snapshot.document_count, 1)
    if share > options.max_deleted_share:
        raise UsageError(
            f"{share:.1%} of the documents would be replaced or deleted ones, which still count "
            f"in scores; at most {options.max_deleted_share:.1%} may be.",
            _FULL,
        )
    return _Due(parent, changes, share)
