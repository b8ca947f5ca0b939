"""Reads and writes of the vectors that encoders made of titles. They are plain bytes.

index/title_vectors.py decides which titles need one.
"""

from collections.abc import Collection, Iterator, Mapping

from sqlalchemy import Connection, text

_SLICE = 50_000  # hashes read at a time


def load_vectors(
    connection: Connection, encoder_no: int, hashes: Collection[bytes]
) -> dict[bytes, bytes]:
    """Return title hash -> vector of those ``hashes`` that have one."""
    found = connection.execute(
        text("""
        SELECT title_hash, vector FROM title_vectors
        WHERE encoder_no = :encoder_no AND title_hash = ANY(:hashes)
        """),
        {"encoder_no": encoder_no, "hashes": list(hashes)},
    )
    return {bytes(row.title_hash): bytes(row.vector) for row in found}


def store_vectors(connection: Connection, encoder_no: int, vectors: Mapping[bytes, bytes]) -> None:
    """Store title hash -> vector; what another process stored meanwhile stays."""
    connection.execute(
        text("""
        INSERT INTO title_vectors (encoder_no, title_hash, vector)
        SELECT :encoder_no, * FROM unnest(CAST(:hashes AS bytea[]), CAST(:vectors AS bytea[]))
        ON CONFLICT DO NOTHING
        """),
        {
            "encoder_no": encoder_no,
            "hashes": list(vectors.keys()),
            "vectors": list(vectors.values()),
        },
    )


def count_vectors(connection: Connection, encoder_no: int) -> int:
    """Return the number of stored vectors of an encoder."""
    found = connection.execute(
        text("SELECT count(*) FROM title_vectors WHERE encoder_no = :encoder_no"),
        {"encoder_no": encoder_no},
    )
    return int(found.scalar_one())


def stream_hashes(connection: Connection, encoder_no: int) -> Iterator[list[bytes]]:
    """Yield the hashes of all titles with a vector, some at a time, in their order."""
    after = b""
    while True:
        found = connection.execute(
            text("""
            SELECT title_hash FROM title_vectors
            WHERE encoder_no = :encoder_no AND title_hash > :after
            ORDER BY title_hash LIMIT :most
            """),
            {"encoder_no": encoder_no, "after": after, "most": _SLICE},
        )
        hashes = [bytes(row.title_hash) for row in found]
        if not hashes:
            return
        yield hashes
        after = hashes[-1]


def delete_vectors(connection: Connection, encoder_no: int, hashes: Collection[bytes]) -> int:
    """Delete the vectors of these titles and return their number."""
    return connection.execute(
        text("""
        DELETE FROM title_vectors WHERE encoder_no = :encoder_no AND title_hash = ANY(:hashes)
        """),
        {"encoder_no": encoder_no, "hashes": list(hashes)},
    ).rowcount
