"""Reads of the metadata that a recommender learns from: fields of items, attributes of users."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection, text


class ItemFields(NamedTuple):
    """The metadata of one item; None: unknown."""

    item_no: int
    title: str | None
    brand: str | None
    category: str | None
    price: Decimal | None


def load_item_fields(
    connection: Connection, item_nos: Collection[int] | None = None
) -> list[ItemFields]:
    """Return the metadata of these items (None: the whole catalog) by item number."""
    found = connection.execute(
        text(
            "SELECT item_no, title, brand, category, price FROM items "
            "WHERE CAST(:numbers AS integer[]) IS NULL OR item_no = ANY(:numbers) ORDER BY item_no"
        ),
        {"numbers": None if item_nos is None else list(item_nos)},
    )
    return [ItemFields(*row) for row in found]


def load_attributes(connection: Connection, user_nos: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return user number -> attributes of those ``user_nos`` that have any."""
    found = connection.execute(
        text(
            "SELECT user_no, attributes FROM users "
            "WHERE attributes IS NOT NULL AND user_no = ANY(:numbers)"
        ),
        {"numbers": list(user_nos)},
    )
    return {row.user_no: row.attributes for row in found}
