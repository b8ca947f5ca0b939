"""Exact search of an evaluation's catalog by the vectors of registered encoders."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import encoders, generators
from gpt4rec_es.db.rows.encoders import Encoder
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.elastic.queries import search_text
from gpt4rec_es.index.title_vectors import found_or_made
from gpt4rec_es.lab.bm25.nearest import Encode, NearestTitles, Vectors32
from gpt4rec_es.lab.evaluation.rerank_vectors import chosen_reranker
from gpt4rec_es.lab.training.split_data import require_unseen
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.prompts.keys import hash128
from gpt4rec_es.reranking.encoder_registry import open_encoder_of

# Texts that are encoded at once.
_TEXTS = 4096


def chosen_encoder(
    engine: Engine, split: SplitRow, part: str, name: str, *, trust: bool = False
) -> Encoder:
    """Return the encoder called ``name``, which has seen nothing that ``part`` holds out.

    Only encoders of a generator or re-ranker learned from purchases. trust: the caller knows that
    it has not.

    Raises:
        UsageError: there is none, or its network may have been trained on held-out purchases.
    """
    with transaction(engine) as connection:
        row = encoders.get(connection, name)
        of_generator = row.kind == "generator" and row.source is not None and not trust
        generator = generators.get(connection, str(row.source)) if of_generator else None
    if generator is not None:
        require_unseen(generator, split, part)
    if row.kind == "reranker" and not trust:
        chosen_reranker(engine, split, part, str(row.source))
    return row


class EncodedTitles:
    """Searches by several encoders over the same titles, each made once."""

    def __init__(
        self,
        engine: Engine,
        item_ids: Mapping[int, str],
        titles: Mapping[int, str],
        active: frozenset[int],
        hardware: GeneratorOptions,
    ) -> None:
        """Set ids and titles by item, and the items that lists may have.

        hardware: device and threads of the encoders.
        """
        self._engine, self._titles, self._hardware = engine, titles, hardware
        self._ids = {item: item_ids[item] for item in sorted(active) if item in titles}
        self._made: dict[str, tuple[NearestTitles, dict[str, Any]]] = {}

    def by(self, name: str | None) -> tuple[NearestTitles | None, dict[str, Any]]:
        """Return the search, and the options that evaluations keep of it; None: no encoder.

        Raises:
            UsageError: there is none of that name, or its files are gone.
            ConflictError: its files changed.
        """
        if name is None:
            return None, {}
        if name not in self._made:
            with transaction(self._engine) as connection:
                row = encoders.get(connection, name)
            hardware = self._hardware
            opened = open_encoder_of(self._engine, row, hardware.device, hardware.threads)

            def encode(texts: Sequence[str]) -> Vectors32:
                return opened.encode([search_text(text) for text in texts])

            search = NearestTitles(self._ids, self._vectors(row, encode), encode)
            self._made[name] = search, {"encoder": row.as_dict()}
        return self._made[name]

    def _vectors(self, row: Encoder, encode: Encode) -> Vectors32:
        """Return the vectors of all titles: those that a reindex stored, and others made now."""
        titles = [search_text(self._titles[item]) for item in self._ids]
        found = np.zeros((len(titles), row.dims), np.float32)
        for first in range(0, len(titles), _TEXTS):
            some = titles[first : first + _TEXTS]
            keys = [hash128(title) for title in some]
            texts = dict(zip(keys, some, strict=True))
            stored, made = found_or_made(self._engine, row, texts, encode)
            vectors = stored | made
            for place, key in enumerate(keys, start=first):
                found[place] = np.frombuffer(vectors[key], "<f4")
        return found
