"""The lock of a batch of deletions: alone with the texts and vectors that planners refer to."""

import time

from sqlalchemy import Connection

from gpt4rec_es.db import locks
from gpt4rec_es.errors import ConflictError

# A waiting exclusive lock blocks later shared ones, so the wait is split into short tries.
_LOCK_TRY_S = 0.5
_PAUSE_S = 0.5
# lock_timeout of other locks, once a batch holds the lock.
_WORK_LOCK_S = 5


def lock_alone(connection: Connection, max_wait_s: float) -> None:
    """Take the lock for this transaction, in short tries between which others can take it."""
    end = time.monotonic() + max_wait_s
    locks.set_lock_timeout(connection, _LOCK_TRY_S)
    while True:
        try:
            with connection.begin_nested():
                locks.transaction_lock(connection, locks.TEXTS)
        except ConflictError as error:
            if time.monotonic() > end:
                raise ConflictError(
                    "Planners or workers that store queries held the lock all the time.",
                    "Prune again later; completed batches stay.",
                ) from error
        else:
            locks.set_lock_timeout(connection, _WORK_LOCK_S)
            return
        time.sleep(_PAUSE_S)
