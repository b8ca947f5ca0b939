"""Storing what replays came to."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert

from gpt4rec_es.db.tables import replay_metrics, replays


def store(
    connection: Connection, values: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]] = ()
) -> int:
    """Store one replay and its metrics, given by column; return its number."""
    found = connection.execute(insert(replays).values(values).returning(replays.c.replay_no))
    number = int(found.scalar_one())
    if metrics:
        rows = [{"replay_no": number, **row} for row in metrics]
        connection.execute(insert(replay_metrics), rows)
    return number
