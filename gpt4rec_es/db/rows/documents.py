"""Reads of the catalog as documents for the index, with the catalog version of the snapshot."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, literal, select, text

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.tables import catalog_state, items
from gpt4rec_es.records import Document

# Rows per fetch of the server-side cursor; larger values were not faster.
_FETCH = 5000


@dataclass(frozen=True, slots=True)
class CatalogSnapshot:
    """One snapshot of the catalog: its version and its number of documents."""

    catalog_version: int
    document_count: int
    _connection: Connection

    def documents(self) -> Iterator[Document]:
        """Yield every item that has a title, active or not, in order of item number."""
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
                literal(None),
                columns.description,
            )
            .where(columns.title.is_not(None))
            .order_by(columns.item_no)
        )
        for row in self._connection.execution_options(yield_per=_FETCH).execute(query):
            yield Document(*row)


@contextmanager
def catalog_snapshot(engine: Engine) -> Iterator[CatalogSnapshot]:
    """Open the catalog in one read-only snapshot, so that version and documents match.

    Raises:
        DependencyError: Postgres was lost.
    """
    with transaction(engine.execution_options(isolation_level="REPEATABLE READ")) as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        # Loading may wait minutes for Elasticsearch, which must not end the snapshot.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        version = connection.execute(select(catalog_state.c.catalog_version)).scalar_one()
        count = connection.execute(
            select(func.count()).select_from(items).where(items.c.title.is_not(None))
        ).scalar_one()
        yield CatalogSnapshot(version, count, connection)


def current_catalog_version(connection: Connection) -> int:
    """Return the current catalog version."""
    return int(connection.execute(select(catalog_state.c.catalog_version)).scalar_one())
