"""BM25 over several fields with weights, in this process: a score is the weighted sum of theirs.

For trying whether brand and category help before an index is built for it. Sums are in single
precision, in an order of their own: for comparing, not for equality with a server.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.elastic.queries import search_text
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.history_bm25 import Matrix, query_terms, term_impacts
from gpt4rec_es.lab.bm25.grid import GridHits
from gpt4rec_es.lab.bm25.index import MemoryIndex, TokenizedTitle
from gpt4rec_es.lab.bm25.retriever import Analyze
from gpt4rec_es.records import Bm25, Document

FIELDS = ("title", "brand", "category")
# Scores in memory at once.
_SCORES_PER_STEP = 1 << 23
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def parse_fields(given: str) -> dict[str, float]:
    """Return the weights by field of a text such as "title^3,brand".

    Raises:
        UsageError: a field is unknown or comes twice, or a weight is no number above 0.
    """
    weights: dict[str, float] = {}
    for part in given.split(","):
        name, _, weight = part.strip().partition("^")
        if name not in FIELDS or name in weights:
            raise UsageError(
                f"{part.strip()!r} is no field to search.",
                f"Name each once, of {', '.join(FIELDS)}.",
            )
        try:
            weights[name] = float(weight or 1)
        except ValueError:
            weights[name] = 0.0
        if not 0 < weights[name] < float("inf"):
            raise UsageError(f"The weight {weight!r} of {name} is wrong.", "Write title^3.")
    return weights


class FieldsGridSearch:
    """Searches documents for texts in several fields, at any points."""

    def __init__(
        self, documents: Iterable[Document], weights: Mapping[str, float], analyze: Analyze
    ) -> None:
        """Take weights by field, and the function that turns texts into tokens.

        Raises:
            UsageError: no document has anything in a field.
        """
        self._analyze = analyze
        found = list(documents)
        self._indexes = [(_index(found, field, analyze), w) for field, w in weights.items()]
        self._n_items = 1 + max(document.item_no for document in found)
        order = sorted(found, key=lambda document: document.item_id.encode())
        self._by_rank = np.array([document.item_no for document in order], np.int64)
        ranks = np.zeros(self._n_items, np.uint64)
        ranks[self._by_rank] = np.arange(len(order), dtype=np.uint64)
        self._reversed_ranks = _LOW - ranks

    def search(
        self, texts: Sequence[str], points: Sequence[Bm25], depth: int
    ) -> Iterator[GridHits]:
        """Yield the hits of ``texts`` at all ``points``, some texts at a time, in order."""
        tokens = self._analyze([search_text(text) for text in texts])
        impacts = [
            [term_impacts(index, point, self._n_items) * weight for index, weight in self._indexes]
            for point in points
        ]
        step = max(1, _SCORES_PER_STEP // self._n_items)
        for first in range(0, len(texts), step):
            some = dict(enumerate(tokens[first : first + step]))
            terms = [query_terms(index, some, len(some)) for index, _ in self._indexes]
            best = [self._best(terms, of_point, depth) for of_point in impacts]
            item_nos, scores = (np.stack(part) for part in zip(*best, strict=True))
            yield GridHits(first, item_nos, scores)

    def _best(
        self, terms: Sequence[Matrix], impacts: Sequence[Matrix], depth: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return item numbers and scores as [texts, depth], -1 and 0 behind the last hit."""
        total = sum(asked @ impact for asked, impact in zip(terms, impacts, strict=True))
        scores: NDArray[np.float32] = total.toarray().astype(np.float32)
        # Score and, reversed, the rank of the id in one number each, so that one sort does both.
        keys = (scores.view(np.uint32).astype(np.uint64) << _HALF) | self._reversed_ranks
        width = min(depth, keys.shape[1])
        keys = np.partition(keys, keys.shape[1] - width, axis=1)[:, keys.shape[1] - width :]
        keys = np.sort(keys, axis=1)[:, ::-1]
        best = (keys >> _HALF).astype(np.uint32).view(np.float32)
        ranks = (_LOW - (keys & _LOW)).astype(np.int64)
        return np.where(best > 0, self._by_rank[np.where(best > 0, ranks, 0)], -1), best


def _index(documents: Sequence[Document], field: str, analyze: Analyze) -> MemoryIndex:
    texts = [getattr(document, field) or "" for document in documents]
    if not any(texts):
        raise UsageError(f"No item has a {field}.", "Leave the field away.")
    return MemoryIndex(
        [
            TokenizedTitle(document.item_id, document.item_no, tokens, document.is_active)
            for document, tokens in zip(documents, analyze(texts), strict=True)
        ]
    )
