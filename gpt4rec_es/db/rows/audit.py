"""Writes to the append-only audit table: actor, action, object and reason."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert

from gpt4rec_es.db.tables import audit


def record(
    connection: Connection,
    actor: str,
    action: str,
    object: str,  # noqa: A002 -- the column's name
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """Insert one entry in the caller's transaction, so that action and entry commit together.

    ``before`` and ``after`` are states as plain JSON values without secrets.
    """
    connection.execute(
        insert(audit).values(
            actor=actor, action=action, object=object, before=before, after=after, reason=reason
        )
    )
