"""Vectors of the texts of a served re-ranker: new ones are encoded once, and kept for a while."""

from collections import OrderedDict
from typing import Any

import torch

from gpt4rec_es.reranking.metadata import Metadata
from gpt4rec_es.reranking.text_table import TextTable

# Vectors of texts that training did not have, kept for the next items of the same brand or band.
_RECENT = 50_000


class TextVectors:
    """Vectors of texts: those of the training from the cache, others by the GPT-2, once each."""

    def __init__(self, table: TextTable) -> None:
        self._table = table
        self._recent: OrderedDict[str, Any] = OrderedDict()

    def read(self, metadata: Metadata) -> tuple[Any, Any]:
        """Return the places of ``metadata`` and the vectors of its texts, both on the device."""
        encoder, texts = self._table.encoder, metadata.texts
        vectors = torch.zeros(len(texts), encoder.width, dtype=torch.float64, device=encoder.device)
        saved = [n for n, one in enumerate(texts) if self._table.cache.has(one)]
        if saved:
            found = self._table.cache.read(encoder, [texts[n] for n in saved])
            vectors[torch.tensor(saved, device=encoder.device)] = found.double()
        others = sorted(set(range(len(texts))).difference(saved))
        new = [texts[n] for n in others if texts[n] not in self._recent]
        # Clones: a row of the result would keep the vectors of the whole batch in memory.
        encoded = (one.clone() for one in encoder.encode_text(new).cpu())
        self._recent.update(zip(new, encoded, strict=True))
        if others:
            found = torch.stack([self._recent[texts[n]] for n in others])
            vectors[torch.tensor(others, device=encoder.device)] = found.to(vectors)
            for n in others:
                self._recent.move_to_end(texts[n])
        while len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return metadata.places.to(encoder.device), vectors
