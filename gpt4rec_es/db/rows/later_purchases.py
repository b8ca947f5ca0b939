"""Purchases made after nights, in a temporary table made by one scan of the interactions.

Each run and age that is measured reads this table instead of the interactions.
"""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.db.engine import disable_statement_timeout

# first_at, first_version: of the first purchase of the item by the user, whenever imported; a
# purchase of unknown time makes the item's first purchase unknown.
_PURCHASES = """
CREATE TEMP TABLE later_purchases AS
SELECT c.user_no, c.item_no, c.newest_at, p.first_at, p.first_version
FROM (
    SELECT user_no, item_no, max(event_at) AS newest_at FROM interactions
    WHERE version > :oldest_version AND event_at > :earliest
    GROUP BY user_no, item_no
) AS c
CROSS JOIN LATERAL (
    SELECT CASE WHEN count(*) = count(event_at) THEN min(event_at) END AS first_at,
           min(version) AS first_version
    FROM interactions AS x WHERE x.user_no = c.user_no AND x.item_no = c.item_no
) AS p
"""


def collect_purchases(connection: Connection, run_nos: Sequence[int]) -> dt.datetime | None:
    """Put the purchases since the oldest of these runs into a temporary table of the session.

    Returns the time of the newest one, at most the present time; None: there is none.
    """
    disable_statement_timeout(connection)
    oldest = connection.execute(
        text("""
        SELECT min(history_version) AS version, min(planned_at) AS planned_at
        FROM runs WHERE run_no = ANY(:numbers)
        """),
        {"numbers": list(run_nos)},
    ).one()
    connection.execute(
        text(_PURCHASES), {"oldest_version": oldest.version, "earliest": oldest.planned_at}
    )
    connection.execute(text("CREATE INDEX ON later_purchases (first_at)"))
    connection.execute(text("ANALYZE later_purchases"))
    newest = connection.execute(text("SELECT max(newest_at) FROM later_purchases")).scalar_one()
    now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return None if newest is None else min(newest, now)


class Arrival(NamedTuple):
    """The purchases that one history version added; earliest_at: None: of one, no time is known."""

    version: int
    earliest_at: dt.datetime | None


def arrivals(connection: Connection, after: int) -> list[Arrival]:
    """Return the history versions later than ``after`` that added purchases."""
    found = connection.execute(
        text("""
        SELECT version, CASE WHEN count(*) = count(event_at) THEN min(event_at) END
        FROM interactions WHERE version > :after GROUP BY version ORDER BY version
        """),
        {"after": after},
    )
    return [Arrival(*row) for row in found]
