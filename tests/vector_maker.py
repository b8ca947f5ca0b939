"""A re-ranker without a network: vectors from titles and prices, and counts of what was asked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection

from gpt4rec_es.db.rows import rerankers
from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.db.rows.rerankers import Reranker
from gpt4rec_es.prompts.keys import hash128
from gpt4rec_es.ranking.vectors import Fixed, dequantise, with_last


class TitleVectors:
    """Reads the title only: a vector of its first two letters; the bias is its length / 100."""

    content_hash = "title-vectors"
    width = 3
    reads_users = True

    def __init__(self, history_length: int = 3) -> None:
        self.history_length = history_length
        self.read: list[str] = []  # ids of items, in order

    def has_vectors(self, item_ids: Sequence[str]) -> list[bool]:
        return [True] * len(item_ids)

    def input_hashes(self, item_ids: Sequence[str], rows: Sequence[ItemFields]) -> list[bytes]:
        return [hash128(row.title or "") for row in rows]

    def item_vectors(self, item_ids: Sequence[str], rows: Sequence[ItemFields]) -> Fixed:
        self.read += item_ids
        titles = [row.title or "" for row in rows]
        letters = [[ord(one) / 100 for one in f"{title}  "[:2]] for title in titles]
        biases = [len(title) / 100 for title in titles]
        return with_last(np.array(letters).reshape(len(rows), 2), biases)

    def user_vectors(
        self,
        histories: Sequence[Sequence[int]],
        item_vectors: Fixed,
        attributes: Sequence[Mapping[str, Any]] | None = None,
    ) -> Fixed:
        read = [history[: self.history_length] for history in histories]
        means = [dequantise(item_vectors[list(one)])[:, :-1].mean(0) for one in read]
        more = [0.25 * bool(one.get("gender")) for one in attributes or [{}] * len(read)]
        return with_last(np.array(means).reshape(len(read), 2) + np.array(more)[:, None], 1)


def register(connection: Connection, name: str = "titles", **changed: Any) -> Reranker:
    values: dict[str, Any] = {
        "content_hash": TitleVectors.content_hash,
        "path": "/there",
        "gpt2": "gpt2",
        "width": TitleVectors.width,
        "history_length": 3,
        "card": {},
        "actor": "test",
    }
    return rerankers.register(connection, name=name, **values | changed)
