"""Delete item vectors of re-rankers that no kept run and no next night needs, in batches.

Of a re-ranker in use, those that were replaced go; of one that neither a kept run has nor the live
recipe names, all of them, and a night that uses it again makes them anew.
"""

import logging
from collections.abc import Callable

from sqlalchemy import Connection, Engine

from gpt4rec_es.db import locks
from gpt4rec_es.db.rows import item_vectors as rows
from gpt4rec_es.db.rows import rerankers
from gpt4rec_es.db.rows.rerankers import Reranker
from gpt4rec_es.errors import LockedError, UsageError
from gpt4rec_es.night.publish.prune_lock import lock_alone
from gpt4rec_es.recipes.live import live_recipe

log = logging.getLogger(__name__)

_Delete = Callable[[Connection, int, int, int], int]


def collect_vectors(engine: Engine, connection: Connection, batch: int, max_wait_s: float) -> int:
    """Delete the vectors that are not needed; return their number.

    batch: number of vectors checked in one transaction. max_wait_s: as of ``lock_alone``.

    Raises:
        ConflictError: the lock was not free for ``max_wait_s``; completed batches stay.
    """
    with connection.begin():
        known = rerankers.load_all(connection)
    count = 0
    for row in known:
        with connection.begin():
            if rows.next_slice(connection, row.reranker_no, -1, 1) is None:
                continue
            unused = _is_unused(connection, row)
        if unused:
            count += _delete_all(engine, connection, row, batch, max_wait_s)
        else:
            count += delete_in_batches(connection, row, rows.delete_old_vectors, batch, max_wait_s)
    return count


def _delete_all(
    engine: Engine, connection: Connection, row: Reranker, batch: int, max_wait_s: float
) -> int:
    """Delete all vectors of a re-ranker, unless it is in use again; return their number."""
    try:
        # Else a night could take vectors that are about to go for complete.
        with locks.hold_lock(engine, rows.vectors_lock(row.name)):
            with connection.begin():
                lock_alone(connection, max_wait_s)
                if not _is_unused(connection, row):
                    return 0
                # Before the first vector goes, so that a planner that found them all plans again.
                rerankers.forget_vectors_version(connection, row.reranker_no)
            return delete_in_batches(connection, row, rows.delete_vectors, batch, max_wait_s)
    except LockedError:
        log.info("vectors of re-ranker %s are being made; the next prune looks again", row.name)
        return 0


def delete_in_batches(
    connection: Connection, row: Reranker, delete: _Delete, batch: int, max_wait_s: float
) -> int:
    """Call ``delete`` for slices of item numbers, each in its own transaction; return the sum."""
    count, after = 0, -1
    while True:
        with connection.begin():
            lock_alone(connection, max_wait_s)
            upto = rows.next_slice(connection, row.reranker_no, after, batch)
            if upto is None:
                return count
            count += delete(connection, row.reranker_no, after, upto)
        after = upto


def _is_unused(connection: Connection, row: Reranker) -> bool:
    """Return whether no kept run has the re-ranker and the live recipe does not name it."""
    if rerankers.is_needed(connection, row.reranker_no):
        return False
    try:
        return live_recipe(connection).recipe.reranker != row.name
    except UsageError:
        return False  # a newer version stored it: what it names is not known
