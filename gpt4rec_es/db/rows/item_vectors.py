"""Reads and writes of vectors by a re-ranker: of items, and of a run's users. They are plain bytes.

night/inputs/item_vectors.py decides which items need a new vector.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.db.copy import copy_rows
from gpt4rec_es.db.rows.metadata import ItemFields

_SLICE = 50_000  # vectors read at a time


class ChangedItem(NamedTuple):
    """An item that changed, and of its newest vector the hash of what it was made of.

    is_findable: see ``CatalogItem``; was_findable: as that vector's row has it. input_hash,
    was_findable: None: the item has no vector. A change may be of something that no re-ranker
    reads.
    """

    item_id: str
    is_findable: bool
    fields: ItemFields
    input_hash: bytes | None
    was_findable: bool | None


class StoredVector(NamedTuple):
    """The vector of an item. is_findable: see ``CatalogItem``; then, not now."""

    item_no: int
    is_findable: bool
    vector: bytes


def vectors_lock(name: str) -> str:
    """Return the name of the lock held while vectors of a re-ranker are made, or all deleted."""
    return f"item vectors {name}"


def changed_items(
    connection: Connection, reranker_no: int, *, since: int, after: int, most: int
) -> list[ChangedItem]:
    """Return the next ``most`` items after number ``after`` that changed after a catalog version.

    Inactive items are among them: users bought them.
    """
    found = connection.execute(
        text("""
        SELECT i.item_id, i.is_active AND i.title IS NOT NULL AS is_findable,
            i.item_no, i.title, i.brand, i.category, i.price,
            v.input_hash, v.is_findable AS was_findable
        FROM items AS i
        LEFT JOIN LATERAL (
            SELECT input_hash, is_findable FROM item_vectors
            WHERE reranker_no = :reranker_no AND item_no = i.item_no
            ORDER BY catalog_version DESC LIMIT 1
        ) AS v ON true
        WHERE i.version > :since AND i.item_no > :after ORDER BY i.item_no LIMIT :most
        """),
        {"reranker_no": reranker_no, "since": since, "after": after, "most": most},
    )
    return [
        ChangedItem(
            item_id,
            is_findable,
            ItemFields(*fields),
            None if hashed is None else bytes(hashed),
            was_findable,
        )
        for item_id, is_findable, *fields, hashed, was_findable in found
    ]


def count_changed(connection: Connection, since: int) -> int:
    """Return the number of items that changed after a catalog version."""
    found = connection.execute(
        text("SELECT count(*) FROM items WHERE version > :since"), {"since": since}
    )
    return int(found.scalar_one())


def store_item_vectors(
    connection: Connection,
    reranker_no: int,
    catalog_version: int,
    rows: Collection[tuple[int, bytes, bool, bytes]],
) -> int:
    """Store (item number, hash of the input, is findable, vector) as of a catalog version.

    Return their number.

    Rows of the same items and version are replaced.
    """
    key = {"reranker_no": reranker_no, "version": catalog_version}
    connection.execute(
        text("""
        DELETE FROM item_vectors WHERE reranker_no = :reranker_no
        AND catalog_version = :version AND item_no = ANY(:numbers)
        """),
        {**key, "numbers": [row[0] for row in rows]},
    )
    return copy_rows(
        connection,
        "item_vectors",
        ["reranker_no", "catalog_version", "item_no", "input_hash", "is_findable", "vector"],
        ((reranker_no, catalog_version, *row) for row in rows),
    )


def count_vectors(connection: Connection, reranker_no: int) -> int:
    """Return the number of stored item vectors of a re-ranker."""
    found = connection.execute(
        text("SELECT count(*) FROM item_vectors WHERE reranker_no = :reranker_no"),
        {"reranker_no": reranker_no},
    )
    return int(found.scalar_one())


def next_slice(connection: Connection, reranker_no: int, after: int, most: int) -> int | None:
    """Return up to which item number the next ``most`` vectors go; None: there are no more."""
    found = connection.execute(
        text("""
        SELECT max(item_no) FROM (
            SELECT item_no FROM item_vectors WHERE reranker_no = :reranker_no AND item_no > :after
            ORDER BY item_no LIMIT :most) AS b
        """),
        {"reranker_no": reranker_no, "after": after, "most": most},
    )
    upto = found.scalar_one()
    return None if upto is None else int(upto)


def delete_old_vectors(connection: Connection, reranker_no: int, after: int, upto: int) -> int:
    """Delete vectors that were replaced before all catalog versions that runs with lists froze.

    Of each item, the newest vector up to the oldest such version stays, and all later ones. after,
    upto: item numbers, the last one included.
    """
    return connection.execute(
        text("""
        DELETE FROM item_vectors AS x USING (
            SELECT least(k.vectors_version,
                min((r.manifest #>> '{reranker,catalog_version}')::bigint)) AS version
            FROM rerankers AS k LEFT JOIN runs AS r
                ON r.reranker_no = k.reranker_no AND r.pruned_at IS NULL
            WHERE k.reranker_no = :reranker_no GROUP BY k.reranker_no
        ) AS oldest
        WHERE x.reranker_no = :reranker_no AND x.item_no > :after AND x.item_no <= :upto
            AND EXISTS (
                SELECT FROM item_vectors AS later
                WHERE later.reranker_no = :reranker_no AND later.item_no = x.item_no
                  AND later.catalog_version > x.catalog_version
                  AND later.catalog_version <= oldest.version)
        """),
        {"reranker_no": reranker_no, "after": after, "upto": upto},
    ).rowcount


def delete_vectors(connection: Connection, reranker_no: int, after: int, upto: int) -> int:
    """Delete the vectors of a re-ranker, of item numbers as in ``delete_old_vectors``."""
    return connection.execute(
        text("""
        DELETE FROM item_vectors
        WHERE reranker_no = :reranker_no AND item_no > :after AND item_no <= :upto
        """),
        {"reranker_no": reranker_no, "after": after, "upto": upto},
    ).rowcount


def stream_item_vectors(
    connection: Connection, reranker_no: int, catalog_version: int
) -> Iterator[list[StoredVector]]:
    """Yield vectors as of a catalog version, some at a time, in order of item number."""
    after = -1
    while True:
        found = connection.execute(
            text("""
            SELECT DISTINCT ON (item_no) item_no, is_findable, vector FROM item_vectors
            WHERE reranker_no = :reranker_no AND item_no > :after
              AND catalog_version <= :version
            ORDER BY item_no, catalog_version DESC LIMIT :most
            """),
            {
                "reranker_no": reranker_no,
                "version": catalog_version,
                "after": after,
                "most": _SLICE,
            },
        ).all()
        if not found:
            return
        after = found[-1].item_no
        yield [StoredVector(row.item_no, row.is_findable, bytes(row.vector)) for row in found]


def load_vectors_of(
    connection: Connection, reranker_no: int, catalog_version: int, item_nos: Collection[int]
) -> dict[int, bytes]:
    """Return item number -> vector as of a catalog version, of those ``item_nos`` that have one."""
    found = connection.execute(
        text("""
        SELECT DISTINCT ON (item_no) item_no, vector FROM item_vectors
        WHERE reranker_no = :reranker_no AND item_no = ANY(:items) AND catalog_version <= :version
        ORDER BY item_no, catalog_version DESC
        """),
        {"reranker_no": reranker_no, "version": catalog_version, "items": list(item_nos)},
    )
    return {row.item_no: bytes(row.vector) for row in found}


def store_user_vectors(
    connection: Connection, run_no: int, rows: Iterable[tuple[int, bytes]]
) -> int:
    """Store (user number, vector) of users of a run; return their number."""
    return copy_rows(
        connection,
        f"run_user_vectors_{run_no}",
        ["run_no", "user_no", "vector"],
        ((run_no, *row) for row in rows),
    )


def load_user_vectors(
    connection: Connection, run_no: int, user_nos: Collection[int]
) -> dict[int, bytes]:
    """Return user number -> vector of those ``user_nos`` that have one."""
    found = connection.execute(
        text("""
        SELECT user_no, vector FROM run_user_vectors
        WHERE run_no = :run_no AND user_no = ANY(:users)
        """),
        {"run_no": run_no, "users": list(user_nos)},
    )
    return {row.user_no: bytes(row.vector) for row in found}
