"""Statements on the moves of an alias: the log that says what was live, when and why."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from gpt4rec_es.db.tables import alias_swaps


@dataclass(frozen=True, slots=True)
class Swap:
    """One row of ``alias_swaps``. action: reindex, bm25, undo or rollback."""

    swap_no: int
    alias: str
    from_build_no: int | None
    to_build_no: int
    action: str
    actor: str
    reason: str | None
    swapped_at: dt.datetime


def record_swap(
    connection: Connection,
    alias: str,
    from_build_no: int | None,
    to_build_no: int,
    action: str,
    actor: str,
    reason: str | None,
) -> None:
    """Record a move of the alias."""
    connection.execute(
        insert(alias_swaps).values(
            alias=alias,
            from_build_no=from_build_no,
            to_build_no=to_build_no,
            action=action,
            actor=actor,
            reason=reason,
        )
    )


def list_swaps(connection: Connection, alias: str, limit: int | None = None) -> list[Swap]:
    """Return the moves of the alias, newest first."""
    query = (
        select(alias_swaps)
        .where(alias_swaps.c.alias == alias)
        .order_by(alias_swaps.c.swap_no.desc())
        .limit(limit)
    )
    return [Swap(**row) for row in connection.execute(query).mappings()]
