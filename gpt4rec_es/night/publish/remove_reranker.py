"""Remove a registered re-ranker that nothing uses: its vectors in batches, then its row."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import session, transaction
from gpt4rec_es.db.rows import audit, encoders, rerankers
from gpt4rec_es.db.rows import item_vectors as rows
from gpt4rec_es.db.rows.rerankers import Reranker
from gpt4rec_es.errors import UsageError
from gpt4rec_es.night.publish.old_vectors import delete_in_batches
from gpt4rec_es.night.publish.prune_lock import lock_alone
from gpt4rec_es.recipes.live import require_not_live

_BATCH = 10_000  # vectors
_MAX_WAIT_S = 600.0


@dataclass(frozen=True, slots=True)
class RemovedReranker:
    """Result of a removal, or of its dry run. item_vectors: number of its vectors of items."""

    name: str
    path: str
    item_vectors: int
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def remove_reranker(
    engine: Engine, name: str, *, actor: str, dry_run: bool = False
) -> RemovedReranker:
    """Delete the row and all vectors of a re-ranker; its folder stays.

    Pruned runs still say in their manifests which one they had.

    Raises:
        UsageError: there is none of that name, the live recipe or an encoder names it, or a kept
            run has it.
        ConflictError: its vectors are being made, or planners held the lock of deletions for too
        long; deleted batches stay deleted, and the re-ranker stays registered.
    """
    if dry_run:
        with transaction(engine) as connection:
            row = _require_unused(connection, name)
            count = rows.count_vectors(connection, row.reranker_no)
        return RemovedReranker(name, row.path, count, dry_run)
    # Else a night could take vectors that are about to go for complete.
    with locks.hold_lock(engine, rows.vectors_lock(name)), session(engine) as connection:
        with connection.begin():
            lock_alone(connection, _MAX_WAIT_S)
            row = _require_unused(connection, name)
            rerankers.forget_vectors_version(connection, row.reranker_no)
        count = delete_in_batches(connection, row, rows.delete_vectors, _BATCH, _MAX_WAIT_S)
        with connection.begin():
            lock_alone(connection, _MAX_WAIT_S)
            _require_unused(connection, name)
            rerankers.delete(connection, row.reranker_no)
            before = {"content_hash": row.content_hash, "path": row.path, "gpt2": row.gpt2}
            audit.record(connection, actor, "reranker_remove", name, before=before)
    return RemovedReranker(name, row.path, count, dry_run)


def _require_unused(connection: Connection, name: str) -> Reranker:
    """Return the re-ranker if it can be removed; no recipe becomes live in this transaction."""
    locks.transaction_lock(connection, "live recipe")
    row = rerankers.get(connection, name)
    require_not_live(connection, "re-ranker", name)
    if made := encoders.made_of(connection, "reranker", name):
        raise UsageError(
            f"The encoder {made[0]!r} is made of the re-ranker {name!r}.",
            f"Remove it first (`gpt4rec encoders remove {made[0]}`).",
        )
    if rerankers.is_needed(connection, row.reranker_no):
        raise UsageError(
            f"Runs that are kept have the re-ranker {name!r}: their lists are explained with it.",
            "Prune them first (`gpt4rec runs prune`).",
        )
    return row
