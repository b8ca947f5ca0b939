"""Delete generations, prompts, searches, queries and vectors that no kept run needs, in batches.

A batch is one short transaction with the lock ``locks.TEXTS`` in exclusive mode. Planners and
transactions that store queries take it in shared mode, so their references are committed before a
batch reads.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import session
from gpt4rec_es.db.rows import unused_texts as rows
from gpt4rec_es.night.publish.old_vectors import collect_vectors
from gpt4rec_es.night.publish.prune_lock import lock_alone
from gpt4rec_es.protocols import Progress, no_progress


@dataclass(slots=True)
class Collected:
    """Number of rows deleted from each table."""

    generations: int = 0
    prompts: int = 0
    searches: int = 0
    queries: int = 0
    co_purchase_sets: int = 0
    item_vectors: int = 0


def collect(
    engine: Engine,
    *,
    batch: int = 10_000,
    max_wait_s: float = 3600,
    progress: Progress = no_progress,
) -> Collected:
    """Delete texts that no run with lists and no split needs; return the numbers of rows.

    batch: number of prompts, queries or vectors checked in one transaction. max_wait_s: maximum
    wait of each batch for planners, in seconds. ``progress`` counts the prompts and queries
    checked.

    Raises:
        ConflictError: the lock was not free for ``max_wait_s``; completed batches stay.
        DependencyError: Postgres was lost.
    """
    with session(engine) as connection:
        counts = _collect(connection, batch, max_wait_s, progress)
        counts.item_vectors = collect_vectors(engine, connection, batch, max_wait_s)
        return counts


def _collect(
    connection: Connection, batch: int, max_wait_s: float, progress: Progress
) -> Collected:
    known = _record_needed_texts(connection, max_wait_s)
    total = rows.count_texts(connection)
    connection.commit()
    counts, looked_at = Collected(), 0
    kinds: tuple[rows.Texts, ...] = ("prompts", "queries")
    for texts in kinds:
        after = 0
        while True:
            with connection.begin():
                lock_alone(connection, max_wait_s)
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
        lock_alone(connection, max_wait_s)
        counts.co_purchase_sets = rows.delete_co_purchases(connection)
    return counts


def _record_needed_texts(connection: Connection, max_wait_s: float) -> int:
    """Store which prompts and queries runs use; return the number of the newest such run.

    Later runs have higher numbers, because the lock excludes planners while it is read. Each batch
    checks the later runs; the needs of the known runs can only decrease.
    """
    with connection.begin():
        lock_alone(connection, max_wait_s)
        known = rows.newest_run(connection)
    with connection.begin():
        rows.record_needed(connection)
    return known
