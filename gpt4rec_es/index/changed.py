"""A build by what changed: a clone of a build, with the items that changed since sent again.

It costs by the changes and not by the catalog. What it replaces stays counted in the statistics of
scores until the next full build, so that share is kept small and written down.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import builds as rows
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.documents import CatalogChanges, CatalogSnapshot
from gpt4rec_es.elastic.names import new_index_name
from gpt4rec_es.errors import DataError
from gpt4rec_es.index.building import BuildOptions, Sampled, load, prove, removed_on_failure
from gpt4rec_es.index.bulk import BulkCounts
from gpt4rec_es.index.inspect import count, sample_titles
from gpt4rec_es.index.making import block_index, clone_index
from gpt4rec_es.index.mapping import source_of
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.records import Document

_SAMPLED_DELETIONS = 1000


def changed_build(
    engine: Engine,
    client: Elasticsearch,
    snapshot: CatalogSnapshot,
    parent: Build,
    changes: CatalogChanges,
    options: BuildOptions,
    *,
    actor: str,
    reason: str | None,
    progress: Progress = no_progress,
) -> tuple[Build, BulkCounts]:
    """Return a ready build of the catalog ``snapshot`` with k1, b of ``parent``, and what it took.

    ``parent`` is not touched. ``changes`` are those since it was made.

    Raises:
        DataError: a document was refused, or the index is not what it should be.
        DependencyError: a server cannot be reached.
    """
    with transaction(engine) as connection:
        build = rows.start(
            connection,
            index_name=new_index_name(parent.alias),
            alias=parent.alias,
            kind="changed",
            parent=parent,
            catalog_version=snapshot.catalog_version,
            bm25=parent.bm25,
            mapping_hash=parent.mapping_hash,
            actor=actor,
            reason=reason,
        )
    name, since = build.index_name, parent.catalog_version
    with removed_on_failure(engine, client, build):
        clone_index(client, parent.index_name, name, parent.bm25, is_writable=True)
        documents = Sampled(snapshot.documents(since=since))
        total = changes.documents + changes.untitled
        gone = snapshot.untitled(since=since)
        counts = load(client, name, documents, total, options, progress, gone)
        block_index(client, name)
        _check_sources(client, name, documents.chosen)
        _check_gone(client, name, islice(snapshot.untitled(since=since), _SAMPLED_DELETIONS))
        samples = [*documents.samples, *sample_titles(client, name)]
        deleted = (parent.deleted_documents or 0) + counts.replaced
        return prove(engine, client, build, snapshot.document_count, samples, deleted), counts


def _check_sources(client: Elasticsearch, name: str, documents: Sequence[Document]) -> None:
    """Compare changed documents, field by field, with what the index holds of them."""
    if not documents:
        return
    answer = client.mget(index=name, ids=[document.item_id for document in documents]).body
    held = {found["_id"]: found.get("_source") for found in answer["docs"]}
    for document in documents:
        if held.get(document.item_id) != source_of(document):
            raise DataError(f"{name} does not hold the item {document.item_id!r} as it is now.")


def _check_gone(client: Elasticsearch, name: str, item_ids: Iterator[str]) -> None:
    wanted: Iterable[str] = list(item_ids)
    if wanted and count(client, name, {"terms": {"item_id": list(wanted)}}):
        raise DataError(f"{name} still holds items that have no title any more.")
