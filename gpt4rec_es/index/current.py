"""The index that a night searches: the live build, or a new one if the catalog has changed."""

import logging
from dataclasses import replace

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.documents import current_catalog_version
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.errors import ConflictError, DataError, LostFilesError, UsageError
from gpt4rec_es.index import live
from gpt4rec_es.index.mapping import mapping_hash
from gpt4rec_es.index.reindex import ReindexOptions, build_all
from gpt4rec_es.index.title_vectors import NO_ENCODER, chosen_encoder
from gpt4rec_es.protocols import Progress, no_progress

log = logging.getLogger(__name__)


def ensure_current(
    engine: Engine,
    client: Elasticsearch,
    options: ReindexOptions,
    *,
    actor: str,
    progress: Progress = no_progress,
) -> Build:
    """Return the live build, after a reindex if its catalog, mapping or encoder is not current.

    Without ``options.encoder`` a live encoder that cannot be opened is left out, with a warning.

    Raises as ``reindex`` does.
    """
    found = _current_build(engine, client, options)
    if isinstance(found, Build):
        return found
    with plain_errors(client), live.index_lock(engine, options.alias) as lock:
        # The previous holder of the lock may have reindexed.
        found = _current_build(engine, client, options)
        if isinstance(found, Build):
            return found
        log.info("the index is built anew: %s", found)
        if options.encoder is None:
            options = _without_lost_encoder(engine, client, options)
        return build_all(engine, client, options, lock, actor, found, progress).build


def _without_lost_encoder(
    engine: Engine, client: Elasticsearch, options: ReindexOptions
) -> ReindexOptions:
    """Return the options of a build that nobody asked vectors of: without those of a lost encoder.

    Only the encoder of the live build would be kept, and no list of this night reads its vectors.
    """
    row = chosen_encoder(engine, client, options.alias, None)
    if row is None:
        return options
    try:
        opened = options.open_encoder(row)
    except (ConflictError, LostFilesError) as error:
        log.warning(
            "the index is built without vectors, which the recipe does not use: %s When the files "
            "are back: `gpt4rec reindex --encoder %s`.",
            error.message,
            row.name,
        )
        return replace(options, encoder=NO_ENCODER)
    return replace(options, open_encoder=lambda _: opened)


def _current_build(engine: Engine, client: Elasticsearch, options: ReindexOptions) -> Build | str:
    """Return the live build, or the reason for a reindex."""
    try:
        build = live.live_build(engine, client, options.alias)
    except (DataError, UsageError) as error:
        return error.message
    wanted = chosen_encoder(engine, client, options.alias, options.encoder)
    with transaction(engine) as connection:
        version = current_catalog_version(connection)
    if wanted is not None and build.encoder_no != wanted.encoder_no:
        return f"the index has no vectors of the encoder {wanted.name}"
    if build.mapping_hash != mapping_hash(options.build.analysis):
        return "the mapping or the analyzer changed"
    if build.catalog_version != version:
        return f"the catalog changed: version {version}, indexed {build.catalog_version}"
    return build
