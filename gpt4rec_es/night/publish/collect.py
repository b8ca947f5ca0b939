"""Collecting what no kept run needs, a batch at a time: generations, prompts, searches, queries.

A batch is one short transaction that holds the lock ``locks.TEXTS`` alone: whoever plans a night
or stores queries shares that lock, so what they just referred to is seen before it is judged.
"""

import time
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import session
from gpt4rec_es.db.rows import prune as rows
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.protocols import Progress, no_progress

# A waiting batch makes those wait who come after it: it lets them pass every so often.
_LOCK_TRY_S = 0.5
_PAUSE_S = 0.5
# For what else a batch has to wait, once it holds the lock.
_WORK_LOCK_S = 5


@dataclass(slots=True)
class Collected:
    """How many rows of each table were deleted."""

    generations: int = 0
    prompts: int = 0
    searches: int = 0
    queries: int = 0
    co_purchase_sets: int = 0


def collect(
    engine: Engine,
    *,
    batch: int = 10_000,
    patience_s: float = 3600,
    progress: Progress = no_progress,
) -> Collected:
    """Delete what no run with lists and no split needs, and return how much that was.

    batch: prompts or queries looked at in one transaction. patience_s: how long each batch waits
    for the planning of a night. ``progress`` counts the prompts and queries that were looked at.

    Raises:
        ConflictError: a night was planned for all that time; what was collected stays so.
        DependencyError: Postgres went away.
    """
    with session(engine) as connection:
        return _collect(connection, batch, patience_s, progress)


def _collect(
    connection: Connection, batch: int, patience_s: float, progress: Progress
) -> Collected:
    known = _know_what_is_needed(connection, patience_s)
    total = rows.count_texts(connection)
    connection.commit()
    counts, looked_at = Collected(), 0
    kinds: tuple[rows.Texts, ...] = ("prompts", "queries")
    for texts in kinds:
        after = 0
        while True:
            with connection.begin():
                _lock_alone(connection, patience_s)
                found = rows.next_slice(connection, texts, after, batch)
                if found is None:
                    break
                deleted = rows.delete_unused(connection, texts, after, found.upto, known)
            for table, n in deleted.items():
                setattr(counts, table, getattr(counts, table) + n)
            after = found.upto
            looked_at += found.n
            progress(looked_at, max(total, looked_at))
    with connection.begin():
        _lock_alone(connection, patience_s)
        counts.co_purchase_sets = rows.delete_co_purchases(connection)
    return counts


def _know_what_is_needed(connection: Connection, patience_s: float) -> int:
    """Write down which prompts and queries runs use; return the number of the newest such run.

    Later runs have higher numbers: with the lock, no plan is under way when that is read. They are
    asked about by each batch; those known can only become less.
    """
    with connection.begin():
        _lock_alone(connection, patience_s)
        known = rows.newest_run(connection)
    with connection.begin():
        rows.note_needed(connection)
    return known


def _lock_alone(connection: Connection, patience_s: float) -> None:
    """Take the lock for this transaction, in short tries between which others may pass."""
    end = time.monotonic() + patience_s
    locks.limit_waits(connection, _LOCK_TRY_S)
    while True:
        try:
            with connection.begin_nested():
                locks.transaction_lock(connection, locks.TEXTS)
        except ConflictError as error:
            if time.monotonic() > end:
                raise ConflictError(
                    "A night is being planned, or stores queries all the time.",
                    "Prune again later; what was pruned so far stays so.",
                ) from error
        else:
            locks.limit_waits(connection, _WORK_LOCK_S)
            return
        time.sleep(_PAUSE_S)
