"""Reads of the catalog by item number: ids, titles and whether an item can be recommended."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, text


class CatalogItem(NamedTuple):
    """One item of the catalog. is_findable: active and titled, so that it can be recommended."""

    item_no: int
    item_id: str
    title: str | None
    brand: str | None
    category: str | None
    is_findable: bool


class Name(NamedTuple):
    """Item id and title of an item, and whether it is active now."""

    item_id: str
    title: str | None
    is_active: bool


def load_items(connection: Connection) -> list[CatalogItem]:
    """Return the whole catalog by item number."""
    found = connection.execute(
        text(
            "SELECT item_no, item_id, title, brand, category, "
            "is_active AND title IS NOT NULL AS is_findable FROM items ORDER BY item_no"
        )
    )
    return [CatalogItem(*row) for row in found]


def numbers_by_id(connection: Connection) -> list[tuple[int, bool]]:
    """Return (item number, whether it can be recommended) of all items, in order of item id."""
    found = connection.execute(
        text("SELECT item_no, is_active AND title IS NOT NULL FROM items ORDER BY item_id")
    )
    return [(row[0], row[1]) for row in found]


def load_ids(connection: Connection) -> dict[int, str]:
    """Return item number -> item id of all items."""
    found = connection.execute(text("SELECT item_no, item_id FROM items"))
    return {row.item_no: row.item_id for row in found}


def load_titles(connection: Connection) -> dict[int, str]:
    """Return item number -> title of the items that have one."""
    found = connection.execute(text("SELECT item_no, title FROM items WHERE title IS NOT NULL"))
    return {row.item_no: row.title for row in found}


def load_titles_to_train(connection: Connection) -> dict[int, str]:
    """Return item number -> title of the items whose title a language model may be trained on."""
    found = connection.execute(text("SELECT item_no, title FROM items WHERE is_trainable"))
    return {row.item_no: row.title for row in found}


def title_lengths(connection: Connection) -> dict[int, int]:
    """Return item number -> number of characters of its title, for items that have one."""
    found = connection.execute(
        text("SELECT item_no, char_length(title) FROM items WHERE title IS NOT NULL")
    )
    return {row[0]: row[1] for row in found}


def unfindable(connection: Connection) -> set[int]:
    """Return the numbers of items that no search can find: without a title or not active."""
    found = connection.execute(
        text("SELECT item_no FROM items WHERE title IS NULL OR NOT is_active")
    )
    return set(found.scalars())


def load_names(connection: Connection, item_nos: Collection[int]) -> dict[int, Name]:
    """Return item number -> name for those ``item_nos`` that exist."""
    found = connection.execute(
        text("SELECT item_no, item_id, title, is_active FROM items WHERE item_no = ANY(:numbers)"),
        {"numbers": list(item_nos)},
    )
    return {row.item_no: Name(row.item_id, row.title, row.is_active) for row in found}


def find_item(connection: Connection, item_id: str) -> tuple[int, int] | None:
    """Return (number, catalog version of the last change) of an item; None: there is none."""
    row = connection.execute(
        text("SELECT item_no, version FROM items WHERE item_id = :item_id"), {"item_id": item_id}
    ).one_or_none()
    return None if row is None else (row.item_no, row.version)


def count_active(connection: Connection) -> int:
    """Return the number of active items."""
    return int(connection.execute(text("SELECT count(*) FROM items WHERE is_active")).scalar_one())


def count_findable(connection: Connection) -> int:
    """Return the number of items that can be recommended."""
    found = connection.execute(
        text("SELECT count(*) FROM items WHERE is_active AND title IS NOT NULL")
    )
    return int(found.scalar_one())
