"""Rows of co-purchase sets: looking one up by what it depends on, storing and reading it."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, insert, select, text

from gpt4rec_es.db import tables
from gpt4rec_es.db.copy import copy_rows
from gpt4rec_es.list_options import Fusion
from gpt4rec_es.records import Neighbours


@dataclass(frozen=True, slots=True)
class SetKey:
    """What a set depends on, as the columns of ``co_purchase_sets`` say."""

    history_version: int
    catalog_version: int
    neighbours: int
    pair_history: int
    pair_decay: float
    pair_backward: float
    pair_popularity: float
    pair_damping: float

    @classmethod
    def of(cls, fusion: Fusion, *, history_version: int, catalog_version: int) -> "SetKey":
        """Return the key of the set that ``fusion`` needs at these versions."""
        pairs = {f"pair_{name}": value for name, value in asdict(fusion.pairs).items()}
        return cls(
            history_version, catalog_version, fusion.neighbours, fusion.pair_history, **pairs
        )


_SETS = tables.co_purchase_sets


def find_set(connection: Connection, key: SetKey) -> int | None:
    """Return the number of the set made from exactly this; None: there is none."""
    same = [_SETS.c[name] == value for name, value in asdict(key).items()]
    found = connection.execute(select(_SETS.c.set_no).where(*same)).scalar_one_or_none()
    return None if found is None else int(found)


def store_set(
    connection: Connection,
    rows: Iterable[tuple[int, list[int], list[float]]],
    key: SetKey,
) -> int:
    """Store a set under its key; return its number.

    rows: (item number, neighbours' numbers, their strengths).
    """
    made = insert(_SETS).values(**asdict(key), n_items=0).returning(_SETS.c.set_no)
    set_no = int(connection.execute(made).scalar_one())
    stored = copy_rows(
        connection,
        "co_purchases",
        ["set_no", "item_no", "neighbour_nos", "strengths"],
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
        SELECT item_no, neighbour_nos, strengths FROM co_purchases
        WHERE set_no = :set_no AND item_no = ANY(:numbers)
        """),
        {"set_no": set_no, "numbers": sorted(item_nos)},
    )
    return {row.item_no: Neighbours(row.neighbour_nos, row.strengths) for row in found}
