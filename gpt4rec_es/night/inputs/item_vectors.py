"""Vectors of a re-ranker: made for items that are new or changed, and loaded for a merge.

Items are read in steps, each in transactions of its own, so that a killed process loses one step.
A vector is stored under the catalog version that its item was read at and never changes, so a
night of an older version keeps the vectors that it was made with.
"""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import item_vectors as rows
from gpt4rec_es.db.rows import rerankers
from gpt4rec_es.db.rows.history import data_versions
from gpt4rec_es.db.rows.item_vectors import ChangedItem, vectors_lock
from gpt4rec_es.db.rows.rerankers import Reranker
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.night.inputs.parts import VectorMaker
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.ranking.values import Numbers
from gpt4rec_es.ranking.vectors import (
    NO_ITEMS,
    NO_VECTORS,
    Fixed,
    ItemVectors,
    Vectors,
    as_bytes,
    from_bytes,
)

# Another planner may be making the same vectors.
_WAIT_S = 900
_STEP = 2048  # items
# Imports that end while vectors are made.
_ATTEMPTS = 5

log = logging.getLogger(__name__)


def ensure_item_vectors(
    engine: Engine, row: Reranker, maker: VectorMaker, *, progress: Progress = no_progress
) -> int:
    """Make the vectors that items lack and return the catalog version as of which all have one.

    It costs nothing while the catalog is unchanged. Of changed items, only those get a vector of
    which the re-ranker reads something else than before, or that became findable or ceased to be
    so. maker: the opened re-ranker of ``row``; items that it does not know are left out.

    Raises:
        ConflictError: imports changed the catalog during each attempt.
    """
    with locks.hold_lock(engine, vectors_lock(row.name), wait_s=_WAIT_S):
        for _ in range(_ATTEMPTS):
            version = _attempt(engine, row, maker, progress)
            if version is not None:
                return version
            log.warning("the catalog changed while vectors of items were made; going on")
    raise ConflictError(
        f"Imports changed the catalog {_ATTEMPTS} times while vectors of items were made.",
        "Start again when they have ended; the vectors made so far are stored.",
    )


def _attempt(engine: Engine, row: Reranker, maker: VectorMaker, progress: Progress) -> int | None:
    """Make vectors as of the catalog version of now; None: an import ended meanwhile."""
    reranker_no = row.reranker_no
    with transaction(engine) as connection:
        version = data_versions(connection)["catalog_version"]
        since = rerankers.get(connection, row.name).vectors_version or 0
        if since == version:
            return version
        total = rows.count_changed(connection, since)
    after, done, made = -1, 0, 0
    while True:
        with _snapshot(engine).connect() as connection, connection.begin():
            # Items and version are of one snapshot, so the vectors are those of this version.
            if data_versions(connection)["catalog_version"] != version:
                return None
            items = rows.changed_items(
                connection, reranker_no, since=since, after=after, most=_STEP
            )
        if not items:
            break
        after, done = items[-1].fields.item_no, done + len(items)
        stored = _make(items, maker)
        with transaction(engine) as connection:
            made += rows.store_item_vectors(connection, reranker_no, version, stored)
        progress(done, total)
    with transaction(engine) as connection:
        rerankers.set_vectors_version(connection, reranker_no, version)
    log.info("vectors of %s items are stored as of catalog version %s", made, version)
    return version


def _snapshot(engine: Engine) -> Engine:
    return engine.execution_options(isolation_level="REPEATABLE READ")


def _make(items: Sequence[ChangedItem], maker: VectorMaker) -> list[tuple[int, bytes, bool, bytes]]:
    """Return number, hash of the input, ``is_findable`` and vector of what changed."""
    has = maker.has_vectors([one.item_id for one in items])
    known = [one for one, has_vector in zip(items, has, strict=True) if has_vector]
    hashes = maker.input_hashes([one.item_id for one in known], [one.fields for one in known])
    new = [
        (one, hashed)
        for one, hashed in zip(known, hashes, strict=True)
        if (hashed, one.is_findable) != (one.input_hash, one.was_findable)
    ]
    vectors = maker.item_vectors([one.item_id for one, _ in new], [one.fields for one, _ in new])
    return [
        (one.fields.item_no, hashed, one.is_findable, as_bytes(vector))
        for (one, hashed), vector in zip(new, vectors, strict=True)
    ]


def load_item_vectors(
    connection: Connection, reranker_no: int, catalog_version: int
) -> ItemVectors:
    """Return the vectors of all items as of a catalog version."""
    width = rerankers.load(connection, reranker_no).width
    numbers, vectors = [np.zeros(0, np.int64)], [np.zeros((0, width), np.int16)]
    active = [np.zeros(0, np.bool_)]
    for found in rows.stream_item_vectors(connection, reranker_no, catalog_version):
        numbers.append(np.array([row.item_no for row in found], np.int64))
        vectors.append(from_bytes([row.vector for row in found], width))
        active.append(np.array([row.is_findable for row in found], np.bool_))
    return ItemVectors(np.concatenate(numbers), np.concatenate(vectors), np.concatenate(active))


def load_run_items(connection: Connection, run: Run) -> ItemVectors:
    """Return the item vectors that a run froze; none where it has no re-ranker."""
    if run.reranker_no is None:
        return NO_ITEMS
    version = run.manifest["reranker"]["catalog_version"]
    return load_item_vectors(connection, run.reranker_no, version)


class StoredItems:
    """The item vectors that a run froze, loaded when they are asked for: for few users."""

    def __init__(self, connection: Connection, run: Run, width: int) -> None:
        """Set the connection of all loads; width: components of a vector."""
        self._connection, self._run, self._width = connection, run, width

    def of(self, item_nos: Sequence[int] | Numbers) -> tuple[Fixed, NDArray[np.bool_]]:
        """Return vectors of ``item_nos``, as ``ItemVectors.of`` does."""
        wanted = sorted({int(item_no) for item_no in item_nos})
        assert self._run.reranker_no is not None  # noqa: S101 -- else there are no users, either
        version = self._run.manifest["reranker"]["catalog_version"]
        found = rows.load_vectors_of(self._connection, self._run.reranker_no, version, wanted)
        vectors = from_bytes(list(found.values()), self._width)
        numbers = np.array(list(found), np.int64)
        return ItemVectors(numbers, vectors, np.ones(len(numbers), np.bool_)).of(item_nos)


def load_run_vectors(
    connection: Connection, run: Run, user_nos: Sequence[int], items: ItemVectors | None = None
) -> Vectors:
    """Return a run's vectors of items, and of those users that have purchases.

    items: ``load_run_items``; None: each merge loads those of its candidates.
    """
    if run.reranker_no is None:
        return NO_VECTORS
    width = rerankers.load(connection, run.reranker_no).width
    found = rows.load_user_vectors(connection, run.run_no, user_nos)
    vectors = from_bytes(list(found.values()), width)
    lookup = StoredItems(connection, run, width) if items is None else items
    return Vectors(lookup, dict(zip(found, vectors, strict=True)))
