"""Create one build and verify it: from the catalog, or as a clone of another build.

A build ends either ready, or failed with its index deleted. live.py makes it live.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import builds as rows
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.documents import CatalogSnapshot
from gpt4rec_es.elastic.errors import plain_error
from gpt4rec_es.elastic.names import new_index_name
from gpt4rec_es.elastic.retries import Backoff
from gpt4rec_es.elastic.similarity import FieldBm25
from gpt4rec_es.elastic.throttle import Throttle
from gpt4rec_es.errors import Gpt4RecError
from gpt4rec_es.index.bulk import BulkCounts, BulkLimits, load_documents
from gpt4rec_es.index.create import (
    check_vectors,
    clone_index,
    create_index,
    delete_index,
    seal_index,
    verify_index,
)
from gpt4rec_es.index.mapping import Analysis, analysis_settings, index_body, mapping_hash
from gpt4rec_es.index.title_vectors import TitleVectors, field_for
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.records import Bm25, Document

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """Options of a build.

    replicas: number of replicas. throttle: limits documents per second.
    """

    analysis: Analysis = field(default_factory=Analysis)
    replicas: int = 0
    limits: BulkLimits = field(default_factory=BulkLimits)
    backoff: Backoff = field(default_factory=Backoff)
    throttle: Throttle = field(default_factory=Throttle)


def full_build(
    engine: Engine,
    client: Elasticsearch,
    snapshot: CatalogSnapshot,
    alias: str,
    bm25: Bm25,
    options: BuildOptions,
    *,
    actor: str,
    reason: str | None,
    field_bm25: FieldBm25,
    vectors: TitleVectors | None = None,
    progress: Progress = no_progress,
) -> tuple[Build, BulkCounts]:
    """Return a ready build of the catalog ``snapshot``, and the counts of its load.

    field_bm25: k1, b of fields beside the title. vectors: those of titles that the build holds;
    None: it holds none.

    Raises:
        DataError: a document was refused, or the index failed verification.
        DependencyError: a server cannot be reached.
    """
    total = snapshot.document_count
    field_of_vectors = None if vectors is None else field_for(vectors.row, total)
    body = index_body(
        bm25,
        options.analysis,
        fields=field_bm25,
        replicas=options.replicas,
        vectors=field_of_vectors,
    )
    with transaction(engine) as connection:
        build = rows.start(
            connection,
            index_name=new_index_name(alias),
            alias=alias,
            kind="full",
            parent=None,
            catalog_version=snapshot.catalog_version,
            bm25=bm25,
            mapping_hash=mapping_hash(options.analysis),
            actor=actor,
            reason=reason,
            encoder_no=None if vectors is None else vectors.row.encoder_no,
            field_bm25=field_bm25,
        )
    with _removed_on_failure(engine, client, build):
        create_index(client, build.index_name, body)
        documents = Sampled(snapshot.documents())
        counts = load_documents(
            client,
            build.index_name,
            documents if vectors is None else vectors.attach(documents),
            total=total,
            limits=options.limits,
            backoff=options.backoff,
            throttle=options.throttle,
            progress=progress,
        )
        is_large = field_of_vectors is not None and field_of_vectors.kind != "flat"
        seal_index(client, build.index_name, drops_source=is_large)
        if vectors is not None:
            check_vectors(client, build.index_name, vectors.indexed)
        return _verify(engine, client, build, total, documents.samples), counts


def derived_build(
    engine: Engine,
    client: Elasticsearch,
    parent: Build,
    bm25: Bm25,
    *,
    actor: str,
    reason: str | None,
    analysis: Analysis | None = None,
    field_bm25: FieldBm25 | None = None,
) -> Build:
    """Return a ready build with the documents of ``parent`` and other k1, b.

    analysis: with other synonyms than those of ``parent``, which are rules of searches alone;
    field_bm25: k1, b of fields beside the title; None: as those of ``parent``.

    Raises as ``full_build`` does.
    """
    with transaction(engine) as connection:
        build = rows.start(
            connection,
            index_name=new_index_name(parent.alias),
            alias=parent.alias,
            kind="derived",
            parent=parent,
            catalog_version=parent.catalog_version,
            bm25=bm25,
            mapping_hash=parent.mapping_hash if analysis is None else mapping_hash(analysis),
            actor=actor,
            reason=reason,
            field_bm25=parent.field_bm25 if field_bm25 is None else field_bm25,
        )
    with _removed_on_failure(engine, client, build):
        settings = None if analysis is None else analysis_settings(analysis)
        # Also back to the defaults those that the clone would inherit.
        fields = {**dict.fromkeys(parent.field_bm25, Bm25()), **build.field_bm25}
        clone_index(client, parent.index_name, build.index_name, bm25, settings, fields)
        return _verify(engine, client, build, parent.document_count or 0, [])


class Sampled:
    """An iterable that passes documents through and collects a sample of them.

    The sample has the first eight and then those at powers of two, of the titles with a letter or
    digit.
    """

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = documents
        self.chosen: list[Document] = []

    @property
    def samples(self) -> list[tuple[str, str]]:
        """The sample as (item id, title)."""
        return [(document.item_id, document.title) for document in self.chosen]

    def __iter__(self) -> Iterator[Document]:
        """Yield the documents."""
        number = 0
        for document in self._documents:
            if any(map(str.isalnum, document.title)):
                number += 1
                if number <= 8 or number & (number - 1) == 0:
                    self.chosen.append(document)
            yield document


def _verify(
    engine: Engine,
    client: Elasticsearch,
    build: Build,
    documents: int,
    samples: Sequence[tuple[str, str]],
) -> Build:
    """Verify the index of a build and return the build as ready.

    Raises:
        DataError: the index failed verification.
    """
    state = verify_index(
        client,
        build.index_name,
        documents=documents,
        bm25=build.bm25,
        fields=build.field_bm25,
        samples=samples,
    )
    with transaction(engine) as connection:
        return rows.finish(connection, build.build_no, state.uuid, state.documents)


@contextmanager
def _removed_on_failure(engine: Engine, client: Elasticsearch, build: Build) -> Iterator[None]:
    """Delete the index and record the reason, if the block fails or is interrupted."""
    try:
        yield
    except BaseException as error:
        try:
            delete_index(client, build.index_name)
            with transaction(engine) as connection:
                rows.fail(connection, build.build_no, _failure_reason(error, client))
        except Exception as second:  # report the first error
            log.warning(
                "the index %s of a failed build is left for the next reindex to delete: %s",
                build.index_name,
                _failure_reason(second, client),
            )
        raise


def _failure_reason(error: BaseException, client: Elasticsearch) -> str:
    if isinstance(error, Gpt4RecError):
        return error.message
    if isinstance(error, Exception) and type(error).__module__.startswith("elastic"):
        return plain_error(error, client).message
    return type(error).__name__
