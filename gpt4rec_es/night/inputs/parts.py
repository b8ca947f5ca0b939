"""Dependencies of a night, passed in by the caller."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.rows.encoders import Encoder as EncoderRow
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.db.rows.rerankers import Reranker
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.protocols import Encoder, QueryGenerator, Retriever
from gpt4rec_es.ranking.vectors import Fixed


class VectorMaker(Protocol):
    """An opened re-ranker, see reranking/serving.py and reranking/served_sequence.py."""

    content_hash: str
    history_length: int
    width: int
    reads_users: bool

    def has_vectors(self, item_ids: Sequence[str]) -> list[bool]:
        """Return whether each item has a vector; the methods below are called for such items."""

    def input_hashes(self, item_ids: Sequence[str], rows: Sequence[ItemFields]) -> list[bytes]:
        """Return a hash of what the vector of each item depends on."""

    def item_vectors(self, item_ids: Sequence[str], rows: Sequence[ItemFields]) -> Fixed:
        """Return (items, width), biases last."""

    def user_vectors(
        self,
        histories: Sequence[Sequence[int]],
        item_vectors: Fixed,
        attributes: Sequence[Mapping[str, Any]] | None = None,
    ) -> Fixed:
        """Return (users, width), 1 last.

        histories: newest first, places in ``item_vectors``; none is empty.
        """


def utc_now() -> dt.datetime:
    """Return the time by this machine's clock."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class NightParts:
    """Dependencies of a night: database, search cluster, and functions that open its stages.

    open_generator(row, recipe), open_reranker(row), open_encoder(row) and
    open_retriever(index_name, run_id, encoder=None) are called when a stage starts;
    ensure_index(encoder) reindexes if the catalog changed, or the index lacks vectors of the
    encoder of this name (None: none are needed), and returns the live build's number. now: this
    machine's clock.
    """

    engine: Engine
    elastic: Elasticsearch
    open_generator: Callable[[Generator, Recipe], QueryGenerator]
    open_reranker: Callable[[Reranker], VectorMaker]
    open_encoder: Callable[[EncoderRow], Encoder]
    open_retriever: Callable[..., Retriever]
    ensure_index: Callable[[str | None], int]
    actor: str
    now: Callable[[], dt.datetime] = utc_now
