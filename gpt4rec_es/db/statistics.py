"""Statistics for the query planner, fresh where many rows came in at once.

Autovacuum comes a minute or more later; until then statements over all users may be planned as if
the tables were empty, and take many times as long.
"""

import logging
from collections.abc import Iterable

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

log = logging.getLogger(__name__)

_LOCK_NOT_AVAILABLE = "55P03"


def analyze_tables(connection: Connection, tables: Iterable[str]) -> None:
    """Collect statistics of these tables of ours, in the caller's transaction.

    A table that is being vacuumed by hand is passed over: its old statistics must do.
    """
    for table in tables:
        try:
            with connection.begin_nested():
                # Longer than it takes for an automatic vacuum to be sent away.
                connection.execute(text("SET LOCAL lock_timeout = '3s'"))
                connection.execute(text("SELECT analyze_table(:name)"), {"name": table})
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) != _LOCK_NOT_AVAILABLE:
                raise
            log.warning("no fresh statistics of %s: it is locked", table)
