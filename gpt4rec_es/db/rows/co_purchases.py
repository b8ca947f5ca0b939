"""Reads and writes of co-purchase sets, which are looked up by their inputs."""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, insert, select, text, update

from gpt4rec_es.db import tables
from gpt4rec_es.db.copy import copy_rows
from gpt4rec_es.records import Neighbours

_SETS = tables.co_purchase_sets


def find_set(connection: Connection, key: Mapping[str, float]) -> int | None:
    """Return the number of the set made from exactly these inputs; None: there is none.

    key: by columns, the versions of history and catalog and ``Fusion.counting``.
    """
    same = [_SETS.c[name] == value for name, value in key.items()]
    found = connection.execute(select(_SETS.c.set_no).where(*same)).scalar_one_or_none()
    return None if found is None else int(found)


def load_buyers(connection: Connection, set_no: int) -> bytes | None:
    """Return the numbers of buyers, see ``item_buyers``; None: they were not counted."""
    buyers = select(_SETS.c.item_buyers).where(_SETS.c.set_no == set_no)
    found = connection.execute(buyers).scalar_one()
    return None if found is None else bytes(found)


def store_buyers(connection: Connection, set_no: int, buyers: bytes) -> None:
    """Store the numbers of buyers of a set, see ``item_buyers``."""
    connection.execute(update(_SETS).where(_SETS.c.set_no == set_no).values(item_buyers=buyers))


def is_current(connection: Connection, set_no: int) -> bool:
    """Return whether the set was made from the catalog and history versions of this snapshot."""
    found = connection.execute(
        text("""
        SELECT EXISTS (SELECT FROM co_purchase_sets JOIN catalog_state
                       USING (catalog_version, history_version) WHERE set_no = :set_no)
        """),
        {"set_no": set_no},
    )
    return bool(found.scalar_one())


def store_set(
    connection: Connection,
    rows: Iterable[tuple[int, list[int], list[float]]],
    key: Mapping[str, float],
) -> int:
    """Store a set under the key of ``find_set``; return its number.

    rows: (item number, neighbours' numbers, their similarities).
    """
    made = insert(_SETS).values(**key, n_items=0).returning(_SETS.c.set_no)
    set_no = int(connection.execute(made).scalar_one())
    stored = copy_rows(
        connection,
        "co_purchases",
        ["set_no", "item_no", "neighbour_nos", "similarities"],
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
    """Return item number -> neighbours for those ``item_nos`` that have any."""
    found = connection.execute(
        text("""
        SELECT item_no, neighbour_nos, similarities FROM co_purchases
        WHERE set_no = :set_no AND item_no = ANY(:numbers)
        """),
        {"set_no": set_no, "numbers": sorted(item_nos)},
    )
    return {row.item_no: Neighbours(row.neighbour_nos, row.similarities) for row in found}
