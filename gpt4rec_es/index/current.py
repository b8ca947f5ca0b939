"""The index a night searches: the live build while it is of today's catalog, else a new one first.

No night may stop because changes alone will not do: a full build is made then, and says why.
"""

import logging
from dataclasses import dataclass

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.locks import HeldLock
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.documents import current_catalog_version
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.index import live
from gpt4rec_es.index.mapping import mapping_hash
from gpt4rec_es.index.reindex import ReindexOptions, build_all
from gpt4rec_es.index.reindex_changed import build_changes
from gpt4rec_es.protocols import Progress, no_progress

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Outdated:
    """Why the live build is not today's. lacks_only_changes: of the catalog, all else fits."""

    reason: str
    lacks_only_changes: bool = False


def ensure_current(
    engine: Engine,
    client: Elasticsearch,
    options: ReindexOptions,
    *,
    actor: str,
    progress: Progress = no_progress,
) -> Build:
    """Return the live build, after a reindex if it is not of today's catalog and mapping.

    Raises as ``reindex`` does.
    """
    found = _current_build(engine, client, options)
    if isinstance(found, Build):
        return found
    with plain_errors(client), live.index_lock(engine, options.alias) as lock:
        # Whoever held the lock until now may have done it.
        found = _current_build(engine, client, options)
        if isinstance(found, Build):
            return found
        return _build(engine, client, options, lock, actor, found, progress)


def _current_build(
    engine: Engine, client: Elasticsearch, options: ReindexOptions
) -> Build | _Outdated:
    """Return the live build, or why it has to be made anew."""
    try:
        build = live.live_build(engine, client, options.alias)
    except (DataError, UsageError) as error:
        log.info("the index is built anew: %s", error.message)
        return _Outdated(error.message)
    with transaction(engine) as connection:
        version = current_catalog_version(connection)
    if build.mapping_hash != mapping_hash(options.build.analysis):
        return _Outdated("the mapping or the analyzer changed")
    if build.catalog_version != version:
        reason = f"the catalog changed: version {version}, indexed {build.catalog_version}"
        return _Outdated(reason, lacks_only_changes=True)
    return build


def _build(
    engine: Engine,
    client: Elasticsearch,
    options: ReindexOptions,
    lock: HeldLock,
    actor: str,
    outdated: _Outdated,
    progress: Progress,
) -> Build:
    """Make the build that is missing: by changes if that is preferred and will do, else in full."""
    reason = outdated.reason
    if options.prefers_changes and outdated.lacks_only_changes:
        try:
            return build_changes(engine, client, options, lock, actor, reason, progress).build
        except (DataError, UsageError) as error:
            log.warning("changes alone will not do, all is indexed: %s", error.message)
            reason = f"{reason}; changes alone would not do: {error.message}"
    return build_all(engine, client, options, lock, actor, reason, progress).build
