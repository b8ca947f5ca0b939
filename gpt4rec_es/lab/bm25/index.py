"""Postings of a catalog as arrays, for BM25 in this process.

Titles are given as tokens of the server's analyzer; nothing is tokenised here.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.elastic.similarity import FieldBm25
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.arithmetic import inverse_frequencies, rounded_lengths

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TokenizedTitle:
    """One title as tokens. Inactive items are never found, but count in the statistics."""

    item_id: str
    item_no: int
    tokens: Sequence[str]
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Slots:
    """The distinct known terms of some queries: query, term and frequency of each."""

    queries: Integers
    terms: Integers
    repeats: Integers


# Reads the texts of a further field, as tokens.
OpenField = Callable[[str], Sequence[TokenizedTitle]]


class MemoryIndex:
    """Postings by term; titles are numbered by rounded length, so shorter ones come first.

    mean_length and idf: [terms], statistics of all titles. starts: [terms + 1], start of a term's
    postings in ``documents`` (title numbers), ``times`` (term frequencies) and ``kinds``, indices
    into ``kind_times`` and ``kind_lengths``: postings of equal kind and term have equal scores.
    id_ranks: rank of each title's item id in byte order; ``by_rank``: item numbers in that order.
    blocks: ranges of titles as (first, after the last, whether all have one length). field_bm25:
    k1, b of further fields that have others than the defaults.
    """

    def __init__(
        self,
        titles: Sequence[TokenizedTitle],
        *,
        block: int = 256,
        open_field: OpenField | None = None,
        field_bm25: FieldBm25 = MappingProxyType({}),
    ) -> None:
        """Index ``titles``; a block holds at least ``block`` titles, if there are enough.

        open_field: reads a further field of the same items, when a search first needs it.

        Raises:
            UsageError: no title has a token.
        """
        self._open_field, self._fields = open_field, dict[str, MemoryIndex | None]()
        self.field_bm25 = field_bm25
        lengths = np.array([len(title.tokens) for title in titles], np.int64)
        if not lengths.any():
            raise UsageError("No title has a token.", "Import items with titles first.")
        n_filled = int((lengths > 0).sum())
        self.mean_length = np.float32(lengths.sum() / n_filled)
        ids = np.array([title.item_id.encode() for title in titles], object)
        rounded = rounded_lengths(lengths)
        order = np.lexsort((_ranks(ids), rounded))
        self.lengths = rounded[order]
        self.id_ranks = _ranks(ids[order])
        item_nos = np.array([title.item_no for title in titles], np.int64)[order]
        self.by_rank = item_nos[np.argsort(self.id_ranks)]
        self.blocks = _blocks(self.lengths, block)
        self._terms, frequencies, postings = _postings([titles[place] for place in order])
        self.idf = inverse_frequencies(frequencies, n_filled)
        self.starts = np.searchsorted(postings[:, 0], np.arange(len(frequencies) + 1))
        self.documents, self.times = postings[:, 1].copy(), postings[:, 2].copy()
        kinds = np.stack([self.times, self.lengths[self.documents]])
        (self.kind_times, self.kind_lengths), of = np.unique(kinds, axis=1, return_inverse=True)
        self.kinds = of.reshape(-1)

    def __len__(self) -> int:
        """Return the number of titles."""
        return len(self.lengths)

    def field(self, name: str) -> "MemoryIndex | None":
        """Return the index of a further field of these items; None: no item has a term in it.

        Its titles are texts of the field; ranks of ids are those of this index.

        Raises:
            UsageError: this index was made of titles alone.
        """
        if name not in self._fields:
            if self._open_field is None:
                raise UsageError(f"The field {name} was not read.", "Search titles alone.")
            texts = self._open_field(name)
            has_terms = any(text.tokens for text in texts)
            self._fields[name] = MemoryIndex(texts) if has_terms else None
        return self._fields[name]

    def term_numbers(self, tokens: Sequence[str]) -> Integers:
        """Return the numbers of terms; -1: no title has it."""
        return np.array([self._terms.get(token, -1) for token in tokens], np.int64)

    def look_up(self, queries: Sequence[Sequence[str]]) -> Slots:
        """Return the known terms of ``queries``, in order of the queries, numbered from 0."""
        found = [
            (number, term, times)
            for number, tokens in enumerate(queries)
            for token, times in Counter(tokens).items()
            if (term := self._terms.get(token)) is not None
        ]
        columns = np.array(found, np.int64).reshape(-1, 3)
        return Slots(columns[:, 0], columns[:, 1], columns[:, 2])


def _ranks(ids: NDArray[np.object_]) -> Integers:
    """Return the rank of each id in sorted order."""
    ranks = np.empty(len(ids), np.int64)
    ranks[np.argsort(ids, kind="stable")] = np.arange(len(ids))
    return ranks


def _postings(titles: Sequence[TokenizedTitle]) -> tuple[Mapping[str, int], Integers, Integers]:
    """Return term numbers by text, document frequencies, and sorted rows (term, title, times)."""
    terms: dict[str, int] = {}
    rows: list[tuple[int, int, int]] = []
    frequencies: Counter[int] = Counter()
    for document, title in enumerate(titles):
        for token, times in Counter(title.tokens).items():
            term = terms.setdefault(token, len(terms))
            frequencies[term] += 1
            if title.is_active:
                rows.append((term, document, times))
    counts = np.array([frequencies[term] for term in range(len(terms))], np.int64)
    return terms, counts, np.array(sorted(rows), np.int64).reshape(-1, 3)


def _blocks(lengths: Integers, block: int) -> list[tuple[int, int, bool]]:
    """Return ranges of titles of one length; rare neighbouring lengths share a range."""
    changes = np.flatnonzero(np.diff(lengths)) + 1
    edges = [0]
    for before, after in pairwise([0, *changes.tolist(), len(lengths)]):
        if after - before >= block and edges[-1] != before:
            edges.append(before)
        if after - edges[-1] >= block or after == len(lengths):
            edges.append(after)
    return [
        (first, end, bool(lengths[first] == lengths[end - 1])) for first, end in pairwise(edges)
    ]
