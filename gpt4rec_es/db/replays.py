"""Storing what replays came to."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert

from gpt4rec_es.db.tables import replays


def store(connection: Connection, values: Mapping[str, Any]) -> int:
    """Store one replay, given by column; return its number."""
    found = connection.execute(insert(replays).values(values).returning(replays.c.replay_no))
    return int(found.scalar_one())
