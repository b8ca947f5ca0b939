"""Users whose held-out items a setting can find at all; for the others it counts 0.

So they need no candidates, which saves half of the time or more.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.tuning.lists.collect import CandidateCollector
from gpt4rec_es.lab.tuning.lists.sequence_hits import SequenceHits
from gpt4rec_es.lab.tuning.lists.text_hits import TextHits
from gpt4rec_es.options.lists import (
    CO_PURCHASE,
    HISTORY_TITLES,
    QUERIES,
    QUERY_VECTORS,
    SEQUENCE,
    TITLE_VECTORS,
    Fusion,
)
from gpt4rec_es.ranking.values import Numbers


@dataclass(frozen=True, slots=True)
class _Finds:
    """Hits that are a target: the user, the place of the text among the user's, and the hit's."""

    users: Numbers
    texts: Numbers
    places: Numbers

    def users_within(self, texts: int | None, places: int) -> Numbers:
        """Return the users of hits of their first ``texts`` (None: all), above ``places``."""
        is_within = self.places < places
        if texts is not None:
            is_within &= self.texts < texts
        return self.users[is_within]


class Reach:
    """Tells which users have a target among the hits that a setting counts."""

    def __init__(self, collector: CandidateCollector, targets: Sequence[Collection[int]]) -> None:
        """Look for the ``targets`` of all users among the hits of titles and queries."""
        self._pairs, self._bits = collector.pairs, collector.item_bits
        of = np.repeat(np.arange(len(targets)), [len(own) for own in targets])
        items = np.array([item for own in targets for item in own], np.int64)
        everyone = range(len(of))
        at, ages, purchases, _ = collector.users.newest.chosen(of).first(everyone)
        self._users, self._items = of[at], items[at]
        self._ages, self._purchases = ages, purchases
        rows = collector.title_rows[purchases]
        self._titles = self._finds(collector.titles, self._users, ages, rows, self._items)
        at, ranks, rows, _ = collector.users.queries.chosen(of).first(everyone)
        self._queries = self._finds(collector.queries, of[at], ranks, rows, items[at])
        self._near_queries = self._finds(collector.near_queries, of[at], ranks, rows, items[at])
        rows = collector.title_rows[purchases]
        self._near_titles = self._finds(collector.near_titles, self._users, ages, rows, self._items)
        self._sequences = _of_sequences(collector.sequences, of, items, self._bits)

    def _finds(
        self, hits: TextHits, users: Numbers, texts: Numbers, rows: Numbers, items: Numbers
    ) -> _Finds:
        known, places = hits.by_item(self._bits)
        wanted = (np.maximum(rows, 0) << self._bits) | items
        at, is_found = _places(known, wanted)
        is_found &= rows >= 0
        return _Finds(users[is_found], texts[is_found], places[at[is_found]])

    def users(self, fusion: Fusion, num_queries: int | None) -> Numbers:
        """Return the users with a target among the hits of ``fusion``, before the best are cut."""
        found = [np.zeros(0, np.int64)]
        for name, weight in fusion.weights:
            if weight > 0 and name == QUERIES:
                found.append(self._queries.users_within(num_queries, fusion.query_hits))
            elif weight > 0 and name == HISTORY_TITLES:
                found.append(self._titles.users_within(fusion.history, fusion.candidates))
            elif weight > 0 and name == QUERY_VECTORS:
                most = min(fusion.query_hits, fusion.candidates)
                found.append(self._near_queries.users_within(num_queries, most))
            elif weight > 0 and name == TITLE_VECTORS:
                found.append(self._near_titles.users_within(fusion.history, fusion.candidates))
            elif weight > 0 and name == SEQUENCE:
                found.append(self._sequences.users_within(None, fusion.candidates))
            elif weight > 0 and name == CO_PURCHASE:
                is_found = self._is_near(fusion) & (self._ages < fusion.history)
                found.append(self._users[is_found])
        return np.unique(np.concatenate(found))

    def _is_near(self, fusion: Fusion) -> NDArray[np.bool_]:
        """Return whether each target is a neighbour of each purchase of its user."""
        table = self._pairs.table(fusion)
        of_item = np.repeat(np.arange(len(table.starts) - 1), np.diff(table.starts))
        known = np.sort((of_item << self._bits) | table.items)
        return _places(known, (self._purchases << self._bits) | self._items)[1]


def _of_sequences(hits: SequenceHits, users: Numbers, items: Numbers, bits: int) -> _Finds:
    """Return the hits that are among ``items``, the targets of ``users``."""
    of = np.repeat(np.arange(len(hits.counts)), hits.counts)
    places = np.arange(len(of)) - np.repeat(hits.begins, hits.counts)
    keys = (of << bits) | hits.items
    order = np.argsort(keys)
    at, is_found = _places(keys[order], (users << bits) | items)
    return _Finds(
        users[is_found], np.zeros(int(is_found.sum()), np.int64), places[order][at[is_found]]
    )


def _places(known: Numbers, wanted: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return the place of each number in the sorted ``known``, and whether it is there."""
    if not len(known):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return places, known[places] == wanted
