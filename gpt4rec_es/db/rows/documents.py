"""The catalog as documents for the index, read together with the version that they are of."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select, text

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.tables import catalog_state, items
from gpt4rec_es.records import Document

# Rows per fetch of the server-side cursor: more do not make it faster.
_FETCH = 5000


@dataclass(frozen=True, slots=True)
class CatalogChanges:
    """How many items changed. replaced: of both, those that may have been there before."""

    documents: int
    untitled: int
    replaced: int


@dataclass(frozen=True, slots=True)
class CatalogSnapshot:
    """The catalog as it was at one moment: its version, and how many documents it has."""

    catalog_version: int
    document_count: int
    _connection: Connection

    def documents(self, *, since: int = -1) -> Iterator[Document]:
        """Yield every item that has a title, active or not, in order of item number.

        since: only those that changed after that catalog version.
        """
        columns = items.c
        query = (
            select(
                columns.item_no,
                columns.item_id,
                columns.title,
                columns.brand,
                columns.category,
                columns.price,
                columns.is_active,
            )
            .where(columns.title.is_not(None), columns.version > since)
            .order_by(columns.item_no)
        )
        for row in self._connection.execution_options(yield_per=_FETCH).execute(query):
            yield Document(*row)

    def untitled(self, *, since: int) -> Iterator[str]:
        """Yield the ids of the items that have no title and changed after that version."""
        columns = items.c
        query = (
            select(columns.item_id)
            .where(columns.title.is_(None), columns.version > since)
            .order_by(columns.item_no)
        )
        streamed = self._connection.execution_options(yield_per=_FETCH)
        yield from streamed.execute(query).scalars()

    def count_changes(self, *, since: int, known_item_no: int) -> CatalogChanges:
        """Return what changed after that version; items up to ``known_item_no`` were known then."""
        columns = items.c
        titled = columns.title.is_not(None)
        row = self._connection.execute(
            select(
                func.count().filter(titled),
                func.count().filter(columns.title.is_(None)),
                func.count().filter(columns.item_no <= known_item_no),
            ).where(columns.version > since)
        ).one()
        return CatalogChanges(*row)


@contextmanager
def catalog_snapshot(engine: Engine) -> Iterator[CatalogSnapshot]:
    """Open the catalog in one read-only snapshot, so that version and documents belong together.

    Raises:
        DependencyError: Postgres went away.
    """
    with transaction(engine.execution_options(isolation_level="REPEATABLE READ")) as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        # Loading waits for Elasticsearch, sometimes for minutes; that must not end the snapshot.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        version = connection.execute(select(catalog_state.c.catalog_version)).scalar_one()
        count = connection.execute(
            select(func.count()).select_from(items).where(items.c.title.is_not(None))
        ).scalar_one()
        yield CatalogSnapshot(version, count, connection)


def current_catalog_version(connection: Connection) -> int:
    """Return the version of the catalog as it is now."""
    return int(connection.execute(select(catalog_state.c.catalog_version)).scalar_one())
