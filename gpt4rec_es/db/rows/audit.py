"""The append-only audit table: who did what to what, and why. Nobody may change its rows."""

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
    """Add one entry in the caller's transaction, so that it is there exactly if the act is.

    ``before`` and ``after`` are states as plain JSON values; secrets must not be among them.
    """
    connection.execute(
        insert(audit).values(
            actor=actor, action=action, object=object, before=before, after=after, reason=reason
        )
    )
