"""Vectors of titles for a build: each distinct title is encoded once per encoder, then kept.

Vectors are stored while the catalog is read, so a reindex that was killed goes on where it was.
"""

import logging
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal, TypeAlias

import numpy as np
from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import encoders
from gpt4rec_es.db.rows import title_vectors as rows
from gpt4rec_es.db.rows.builds import find_by_index
from gpt4rec_es.db.rows.encoders import Encoder as EncoderRow
from gpt4rec_es.elastic.alias import alias_targets
from gpt4rec_es.elastic.queries import search_text
from gpt4rec_es.errors import UsageError
from gpt4rec_es.index.mapping import VectorField
from gpt4rec_es.prompts.keys import hash128
from gpt4rec_es.protocols import Encoder, Vectors
from gpt4rec_es.records import Document

log = logging.getLogger(__name__)

OpenEncoder: TypeAlias = Callable[[EncoderRow], Encoder]
# The name that stands for an index without vectors.
NO_ENCODER = "none"
# Titles encoded and stored at once.
_BATCH = 1000
# Up to this number of items all vectors are compared, which is exact; above, a graph leads to them.
EXACT_UP_TO = 20_000


def field_for(row: EncoderRow, documents: int) -> VectorField:
    """Return the field of vectors in an index of ``documents`` documents."""
    kind: Literal["flat", "hnsw"] = "flat" if documents <= EXACT_UP_TO else "hnsw"
    return VectorField(row.content_hash, row.dims, kind)


def chosen_encoder(
    engine: Engine, client: Elasticsearch, alias: str, name: str | None
) -> EncoderRow | None:
    """Return the encoder of the vectors that the next build of ``alias`` holds; None: it has none.

    name: see ``ReindexOptions.encoder``.

    Raises:
        UsageError: there is none of that name.
    """
    if name == NO_ENCODER:
        return None
    targets = alias_targets(client, alias)
    with transaction(engine) as connection:
        if name is not None:
            return encoders.get(connection, name)
        build = find_by_index(connection, targets[0]) if targets else None
        if build is None or build.encoder_no is None:
            return None
        row = encoders.load(connection, build.encoder_no)
        return row if row.removed_at is None else None


class TitleVectors:
    """Gives documents the vectors of their titles by one registered encoder.

    encoded: titles that had no vector yet. indexed: documents that were given one; a title without
    a token that the encoder knows has none.
    """

    def __init__(self, engine: Engine, row: EncoderRow, encoder: Encoder) -> None:
        self.row = row
        self.encoded = self.indexed = 0
        self._engine, self._encoder = engine, encoder
        self._seen = array("Q")

    def attach(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Yield the documents with vectors, after encoding titles that have none."""
        source = iter(documents)
        while batch := list(islice(source, _BATCH)):
            texts = [search_text(document.title) for document in batch]
            keys = [hash128(text) for text in texts]
            self._seen.extend(_short(key) for key in keys)
            vectors = self._vectors(dict(zip(keys, texts, strict=True)))
            for document, key in zip(batch, keys, strict=True):
                vector = vectors[key]
                if not vector.strip(b"\0"):
                    yield document
                    continue
                self.indexed += 1
                yield replace(document, vector=vector)

    def _vectors(self, texts: dict[bytes, str]) -> dict[bytes, bytes]:
        found, new = found_or_made(self._engine, self.row, texts, self._encoder.encode)
        if new:
            with transaction(self._engine) as connection:
                rows.store_vectors(connection, self.row.encoder_no, new)
            self.encoded += len(new)
        return found | new

    def forget_others(self) -> int:
        """Delete the vectors of titles that no attached document had; return their number."""
        # 64 of the 128 bits: a title that is taken for another only stays.
        used = np.unique(np.frombuffer(self._seen, dtype=np.uint64))
        deleted = 0
        with transaction(self._engine) as connection:
            if rows.count_vectors(connection, self.row.encoder_no) <= len(used):
                return 0
            slices = rows.stream_hashes(connection, self.row.encoder_no)
            for hashes in slices:
                known = np.isin(np.array([_short(key) for key in hashes], dtype=np.uint64), used)
                gone = [key for key, is_used in zip(hashes, known, strict=True) if not is_used]
                deleted += rows.delete_vectors(connection, self.row.encoder_no, gone)
        log.info("deleted %s vectors of titles that the catalog has no more", deleted)
        return deleted


def found_or_made(
    engine: Engine,
    row: EncoderRow,
    texts: Mapping[bytes, str],
    encode: Callable[[Sequence[str]], Vectors],
) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Return the stored vectors of ``texts``, and those of the others, made now.

    texts: by hash, as are the vectors (float32, lowest byte first).
    """
    with transaction(engine) as connection:
        found = rows.load_vectors(connection, row.encoder_no, texts.keys())
    missing = {key: text for key, text in texts.items() if key not in found}
    if not missing:
        return found, {}
    made = encode(list(missing.values())).astype("<f4", copy=False)
    return found, {key: one.tobytes() for key, one in zip(missing, made, strict=True)}


def count_missing(engine: Engine, row: EncoderRow, documents: Iterable[Document]) -> int:
    """Return the number of distinct titles that have no vector yet."""
    source, missing = iter(documents), array("Q")
    while batch := list(islice(source, _BATCH)):
        keys = {hash128(search_text(document.title)) for document in batch}
        with transaction(engine) as connection:
            keys -= rows.load_vectors(connection, row.encoder_no, keys).keys()
        missing.extend(_short(key) for key in keys)
    return len(np.unique(np.frombuffer(missing, dtype=np.uint64)))


def open_none(row: EncoderRow) -> Encoder:
    """Refuse to open an encoder: what ``ReindexOptions`` open without a choice."""
    raise UsageError(f"The encoder {row.name!r} cannot be opened here.", "Set `open_encoder`.")


def _short(key: bytes) -> int:
    return int.from_bytes(key[:8], "little")
