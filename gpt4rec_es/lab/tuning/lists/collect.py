"""Collect the candidates of the same users by many settings from the same searches.

Hits and candidates are arrays in a work folder, and users are taken some at a time, so memory does
not grow with their number.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.tuning.lists.arrays import Shoppers, new_array
from gpt4rec_es.lab.tuning.lists.candidates import CandidateSet
from gpt4rec_es.lab.tuning.lists.columns import (
    Column,
    candidates_of_many,
    of_others,
    shifted,
)
from gpt4rec_es.lab.tuning.lists.many_values import Evidences, ManyValues, values_of_many
from gpt4rec_es.lab.tuning.lists.pair_tables import NeighbourTable, PairTables
from gpt4rec_es.lab.tuning.lists.sequence_hits import SequenceHits
from gpt4rec_es.lab.tuning.lists.text_hits import TextHits
from gpt4rec_es.options.features import CONTEXTS, FEATURES
from gpt4rec_es.options.lists import (
    HISTORY_TITLES,
    QUERIES,
    QUERY_VECTORS,
    SEQUENCE,
    TITLE_VECTORS,
    Fusion,
)
from gpt4rec_es.ranking.values import Numbers

# Hits of one source, and users, that are sorted at once: about 200 MB with all arrays. User, item
# and place of a hit then fit into one number of 63 bits.
_HITS, _USERS = 1 << 20, 1 << 12


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest values of the settings: hits per title and query, and purchases per user."""

    title_hits: int
    query_hits: int
    history: int

    @classmethod
    def of(cls, *fusions: Fusion) -> "Limits":
        """Return the limits of several fusions."""
        return cls(
            max(fusion.candidates for fusion in fusions),
            max(fusion.query_hits for fusion in fusions),
            max(fusion.history for fusion in fusions),
        )


class _Texts(NamedTuple):
    """Texts of some users: index of the user, place among the user's, row; number per user."""

    of: Numbers
    places: Numbers
    rows: Numbers
    per_user: Numbers


@dataclass(frozen=True, slots=True)
class CandidateCollector:
    """Finds candidates and features as a night does; see ``collect``.

    title_rows: by item number, the row of its title among the hits; -1: none. near_titles and
    near_queries: the hits by vectors of the same texts, in the same rows. sequences: best items
    of the users by a re-ranker. columns: features by name that are not made of the sources' values.
    folder: for arrays; None: in memory.
    """

    users: Shoppers
    pairs: PairTables
    titles: TextHits
    title_rows: Numbers
    queries: TextHits
    near_titles: TextHits
    near_queries: TextHits
    sequences: SequenceHits
    item_bits: int
    columns: Mapping[str, Column]
    folder: Path | None

    def of(self, users: Numbers) -> "CandidateCollector":
        """Return the collector of these users alone."""
        moved = {name: of_others(column, users) for name, column in self.columns.items()}
        return replace(
            self,
            users=self.users.chosen(users),
            sequences=self.sequences.chosen(users),
            columns=moved,
        )

    def collect(self, fusion: Fusion, num_queries: int | None = None) -> CandidateSet:
        """Return the candidates of all users; num_queries: None: all queries.

        ``fusion`` stays within the limits.
        """
        table = self.pairs.table(fusion)
        used = [name for name, weight in fusion.weights if weight > 0]
        n_users, room = len(self.users), len(self.users) * len(used) * fusion.candidates
        items = new_array(self.folder, (room,), np.int32)
        features = new_array(self.folder, (room, len(FEATURES)), np.float32)
        contexts = np.zeros((n_users, len(CONTEXTS)))
        starts = np.zeros(n_users + 1, np.int64)
        done = 0
        for users in self.parts(fusion):
            newest = np.full(len(users), -1)
            of, _, first, _ = self.users.newest.first(users, 1)
            newest[of] = first
            block = candidates_of_many(
                {name: self.values(name, users, fusion, num_queries, table) for name in used},
                fusion,
                self.pairs.buyers,
                newest,
                self.users.bought.first(users)[3],
                self.item_bits,
                {name: shifted(column, users.start) for name, column in self.columns.items()},
            )
            rows = slice(done, done + len(block.item_nos))
            items[rows], features[rows] = block.item_nos, block.features
            contexts[users.start : users.stop] = block.contexts
            starts[users.start + 1 : users.stop + 1] = done + np.cumsum(block.counts)
            done = rows.stop
        return CandidateSet(np.asarray(items[:done]), np.asarray(features[:done]), contexts, starts)

    def parts(self, fusion: Fusion) -> Iterator[range]:
        """Yield users with about as many hits as are sorted at once."""
        most = max(fusion.candidates, fusion.neighbours)
        of_purchases = np.minimum(self.users.newest.counts(), fusion.history) * most
        of_queries = self.users.queries.counts() * fusion.query_hits
        ends = np.cumsum(1 + np.maximum(of_purchases, of_queries))
        first = 0
        while first < len(ends):
            before = ends[first - 1] if first else 0
            room = int(np.searchsorted(ends, before + _HITS, "right"))
            last = min(max(room, first + 1), first + _USERS)
            yield range(first, last)
            first = last

    def values(
        self,
        source: str,
        users: range,
        fusion: Fusion,
        num_queries: int | None,
        table: NeighbourTable | None = None,
    ) -> ManyValues:
        """Return the values of a source, without bought items. table: of co-purchases."""
        if source == QUERIES:
            found = self._of_queries(users, fusion, num_queries)
        elif source == QUERY_VECTORS:
            found = self._near_queries(users, fusion, num_queries)
        elif source == HISTORY_TITLES:
            found = self._of_titles(users, fusion)
        elif source == TITLE_VECTORS:
            found = self._near_titles(users, fusion)
        elif source == SEQUENCE:
            of_users = self.sequences.evidences(users, fusion.candidates)
            found = self._of_hits(self.sequences, of_users, 1.0)
        else:
            assert table is not None  # noqa: S101 -- the only other source
            found = self._of_neighbours(users, fusion, table)
        of, _, items, _ = self.users.bought.first(users)
        bought = (of << self.item_bits) | items
        if not len(found.pairs) or not len(bought):
            return found
        places = np.minimum(np.searchsorted(found.pairs, bought), len(found.pairs) - 1)
        kept = np.ones(len(found.pairs), np.bool_)
        kept[places[found.pairs[places] == bought]] = False
        return found.chosen(kept)

    def _of_queries(self, users: range, fusion: Fusion, most: int | None) -> ManyValues:
        texts, is_used = self._asked_queries(self.queries, users, most)
        found = self.queries.evidences(*texts, fusion.query_hits)
        likelihoods = self.users.likelihoods.first(users, most)[2]
        found = found._replace(likelihoods=likelihoods[is_used])
        return self._of_hits(self.queries, found, fusion.query_decay)

    def _near_queries(self, users: range, fusion: Fusion, most: int | None) -> ManyValues:
        texts, _ = self._asked_queries(self.near_queries, users, most)
        found = self.near_queries.near_evidences(*texts, fusion.query_hits, fusion.candidates)
        return self._of_hits(self.near_queries, found, fusion.query_decay)

    def _asked_queries(
        self, hits: TextHits, users: range, most: int | None
    ) -> tuple[_Texts, NDArray[np.bool_]]:
        """Return the queries that something is left of, and which of all these are."""
        of, _, rows, _ = self.users.queries.first(users, most)
        is_used = rows >= 0
        is_used[is_used] = ~hits.is_empty[rows[is_used]]
        of, rows = of[is_used], rows[is_used]
        per_user = np.bincount(of, minlength=len(users))
        places = np.arange(len(of)) - np.repeat(np.cumsum(per_user) - per_user, per_user)
        return _Texts(of, places, rows, per_user), is_used

    def _of_titles(self, users: range, fusion: Fusion) -> ManyValues:
        found = self.titles.evidences(*self._asked_titles(users, fusion), fusion.candidates)
        return self._of_hits(self.titles, found, fusion.history_decay)

    def _near_titles(self, users: range, fusion: Fusion) -> ManyValues:
        most = fusion.candidates
        found = self.near_titles.near_evidences(*self._asked_titles(users, fusion), most, most)
        return self._of_hits(self.near_titles, found, fusion.history_decay)

    def _asked_titles(self, users: range, fusion: Fusion) -> _Texts:
        of, ages, items, per_user = self.users.newest.first(users, fusion.history)
        rows = self.title_rows[items]
        has = rows >= 0
        return _Texts(of[has], ages[has], rows[has], per_user)

    def _of_neighbours(self, users: range, fusion: Fusion, table: NeighbourTable) -> ManyValues:
        of, ages, items, per_user = self.users.newest.first(users, fusion.history)
        starts = table.starts[items]
        found = Evidences(of, ages, starts, table.starts[items + 1] - starts, per_user)
        return self._of_hits(table, found, fusion.history_decay)

    def _of_hits(
        self, hits: TextHits | NeighbourTable | SequenceHits, evidences: Evidences, decay: float
    ) -> ManyValues:
        return values_of_many(evidences, hits.items, hits.values, decay, self.item_bits)
