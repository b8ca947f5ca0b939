"""Rows of co-purchase sets: looking one up by what it depends on, storing and reading it."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, text

from gpt4rec_es.db.copy import copy_rows
from gpt4rec_es.records import Neighbours


def find_set(
    connection: Connection,
    *,
    history_version: int,
    catalog_version: int,
    neighbours: int,
    pair_history: int,
) -> int | None:
    """Return the number of the set made from exactly this; None: there is none."""
    found = connection.execute(
        text("""
        SELECT set_no FROM co_purchase_sets
        WHERE history_version = :history_version AND catalog_version = :catalog_version
          AND neighbours = :neighbours AND pair_history = :pair_history
        """),
        {
            "history_version": history_version,
            "catalog_version": catalog_version,
            "neighbours": neighbours,
            "pair_history": pair_history,
        },
    ).scalar_one_or_none()
    return None if found is None else int(found)


def store_set(
    connection: Connection,
    rows: Iterable[tuple[int, list[int], list[float]]],
    **key: int,
) -> int:
    """Store a set under the key of ``find_set``; return its number.

    rows: (item number, neighbours' numbers, their cosines).
    """
    set_no = int(
        connection.execute(
            text("""
            INSERT INTO co_purchase_sets
                (history_version, catalog_version, neighbours, pair_history, n_items)
            VALUES (:history_version, :catalog_version, :neighbours, :pair_history, 0)
            RETURNING set_no
            """),
            key,
        ).scalar_one()
    )
    stored = copy_rows(
        connection,
        "co_purchases",
        ["set_no", "item_no", "neighbour_nos", "cosines"],
        ((set_no, *row) for row in rows),
    )
    connection.execute(
        text("UPDATE co_purchase_sets SET n_items = :n WHERE set_no = :set_no"),
        {"n": stored, "set_no": set_no},
    )
    connection.execute(text("SELECT analyze_table('co_purchases')"))
    return set_no


def load_neighbours(
    connection: Connection, set_no: int, item_nos: Collection[int]
) -> dict[int, Neighbours]:
    """Return item number -> neighbours, of those of ``item_nos`` that have any."""
    found = connection.execute(
        text("""
        SELECT item_no, neighbour_nos, cosines FROM co_purchases
        WHERE set_no = :set_no AND item_no = ANY(:numbers)
        """),
        {"set_no": set_no, "numbers": sorted(item_nos)},
    )
    return {row.item_no: Neighbours(row.neighbour_nos, row.cosines) for row in found}
