"""Temporary tables that an import fills by COPY before it changes other tables.

They are dropped with the import's session. Rows are validated before.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, text

from gpt4rec_es.db.copy import copy_rows
from gpt4rec_es.db.rows.history import item_numbers

ITEM_COLUMNS = (
    "seq",
    "item_id",
    "title",
    "title_raw",
    "brand",
    "category",
    "price",
    "is_active",
    "given",
    "description",
)
INTERACTION_COLUMNS = (
    "seq",
    "user_id",
    "item_no",
    "event_no",
    "has_time",
    "ordinal",
    "rating",
)
USER_COLUMNS = ("seq", "user_id", "attributes")
REJECT_COLUMNS = ("reject_no", "file", "line", "reason_code", "reason", "excerpt")

# seq: order of the records; given: one bit per delivered field (see db.rows.catalog).
_TABLES = """
    CREATE TEMP TABLE staged_items (
        seq bigint, item_id text COLLATE "C", title text, title_raw text, brand text,
        category text, price numeric(12, 2), is_active boolean, given smallint,
        description text
    );
    CREATE TEMP TABLE staged_rejected_ids (item_id text COLLATE "C");
    CREATE TEMP TABLE staged_interactions (
        seq bigint, user_id text COLLATE "C", item_no integer, event_no bigint,
        has_time boolean, ordinal bigint, rating real
    );
    CREATE TEMP TABLE staged_new_users (seq bigint, user_id text COLLATE "C", attributes jsonb);
    CREATE TEMP TABLE staged_rejects (
        reject_no bigint, file text, line bigint, reason_code text, reason text, excerpt text
    );
"""


def create_tables(connection: Connection) -> None:
    """Create the staging tables, empty, for the rest of this session."""
    with connection.begin():
        connection.execute(text(_TABLES))


def stage(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Append ``rows`` to a staging table in a separate transaction; return their number."""
    with connection.begin():
        return copy_rows(connection, table, columns, rows)


def load_item_nos(connection: Connection, item_ids: Iterable[str]) -> dict[str, int]:
    """Return item id -> item number for those ``item_ids`` that are in the catalog."""
    with connection.begin():
        return item_numbers(connection, item_ids)


def store_rejects(connection: Connection, import_no: int) -> None:
    """Move the staged rejects to import_rejects, in the caller's transaction."""
    connection.execute(
        text(
            "INSERT INTO import_rejects "
            "(import_no, reject_no, file, line, reason_code, reason, excerpt) "
            "SELECT :import_no, reject_no, file, line, reason_code, reason, excerpt "
            "FROM staged_rejects ORDER BY reject_no"
        ),
        {"import_no": import_no},
    )
