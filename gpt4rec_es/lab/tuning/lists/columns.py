"""Candidates of many users and their features: the numbers of ``ranking.features``, at once.

The score of a re-ranker is a column that the caller gives.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log1p

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.tuning.lists.many_values import ManyValues, joined_ranks
from gpt4rec_es.lab.tuning.lists.sequence_hits import values_of_sequences
from gpt4rec_es.options.features import CONTEXTS, FEATURES
from gpt4rec_es.options.lists import CO_PURCHASE, SEQUENCE, Fusion
from gpt4rec_es.ranking.feature_values import FEATURE_VALUES
from gpt4rec_es.ranking.features import Buyers
from gpt4rec_es.ranking.values import Numbers, Values

# Function from user indices (ascending) and item numbers of candidates to a column of features.
Column = Callable[[Numbers, Numbers], Values]


def shifted(column: Column, first: int) -> Column:
    """Return ``column`` for users that are counted from ``first`` on."""
    return lambda users, items: column(users + first, items)


def of_others(column: Column, users: Numbers) -> Column:
    """Return ``column`` for indices in ``users``."""
    return lambda own, items: column(users[own], items)


class Found:
    """Values of the candidates by source; zero where a source did not find one."""

    def __init__(
        self,
        sources: Mapping[str, ManyValues],
        pairs: Numbers,
        order: Numbers,
        buyers: Values,
        starts: Numbers,
        item_bits: int,
    ) -> None:
        """Set sorted ``pairs`` of user and item, and the ``order`` of the candidates.

        starts: index of the first candidate of each user that has any.
        """
        self._sources, self._n, self.buyers, self._starts = sources, len(pairs), buyers, starts
        self._at: dict[str, tuple[Numbers, NDArray[np.bool_]]] = {}
        for name, values in sources.items():
            if len(values.pairs):
                places = np.minimum(np.searchsorted(values.pairs, pairs), len(values.pairs) - 1)
                self._at[name] = places[order], (values.pairs[places] == pairs)[order]
        self._logs: dict[str, Values] = {}
        self._bits, self._of_sequences = item_bits, dict[str, Values]()
        self.rerank = np.zeros(len(pairs))  # unless the caller gives the column

    def of(self, source: str, name: str) -> Values:
        """Return a value of a source."""
        if source not in self._at:
            return np.zeros(self._n)
        places, found = self._at[source]
        if source == SEQUENCE:
            if not self._of_sequences:
                self._of_sequences = values_of_sequences(self._sources[source], self._bits)
            return np.where(found, self._of_sequences[name][places], 0.0)
        return np.where(found, getattr(self._sources[source], name)[places], 0.0)

    def log(self, name: str) -> Values:
        """Return the logarithm of 1 + 1000 x, x being a co-purchase value."""
        if name not in self._logs:
            self._logs[name] = np.log1p(1000.0 * self.of(CO_PURCHASE, name))
        return self._logs[name]

    def share(self) -> Values:
        """Return the recent similarity as a fraction of the highest of the user's candidates."""
        recent = self.of(CO_PURCHASE, "recent")
        if not len(recent):
            return recent
        highest = np.maximum.reduceat(recent, self._starts)
        highest[highest == 0] = 1.0
        of_user = np.repeat(highest, np.diff(self._starts, append=len(recent)))
        return np.asarray(recent / of_user, np.float64)


@dataclass(frozen=True, slots=True)
class Block:
    """Candidates of some users; see ``CandidateSet``. counts: number of candidates per user."""

    item_nos: Numbers
    features: NDArray[np.float32]
    contexts: Values
    counts: Numbers


def candidates_of_many(
    sources: Mapping[str, ManyValues],
    fusion: Fusion,
    buyers: Buyers,
    newest: Numbers,
    n_bought: Numbers,
    item_bits: int,
    columns: Mapping[str, Column],
) -> Block:
    """Return the candidates of ``sources``, whose order is that of ``fusion.weights``.

    newest: by user, the newest purchase; -1: none. n_bought: number of bought items. columns: of
    features by name that are not made of the sources' values.
    """
    tops = []
    for values in sources.values():
        at, ranks = values.top(fusion.candidates, item_bits)
        tops.append((values.pairs[at], ranks))
    pairs, order = joined_ranks(tops, fusion.candidates, item_bits)
    of_user = pairs[order]
    users, items = of_user >> item_bits, of_user & ((1 << item_bits) - 1)
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    found = Found(sources, pairs, order, buyers.of(items), starts, item_bits)
    features = np.zeros((len(items), len(FEATURES)), np.float32)
    for place, name in enumerate(FEATURES):
        own = columns.get(name)
        features[:, place] = own(users, items) if own else FEATURE_VALUES[name](found)
    highest = np.zeros(len(newest))
    if len(items):
        highest[users[starts]] = np.maximum.reduceat(found.log("recent"), starts)
    bought = np.where(newest >= 0, buyers.of(np.maximum(newest, 0)), 0.0)
    contexts = {
        "history": [log1p(min(number, 200)) for number in n_bought.tolist()],
        "similarity": highest,
        "buyers": [log1p(number) for number in bought.tolist()],
    }
    return Block(
        items,
        features,
        np.stack([np.asarray(contexts[name], np.float64) for name in CONTEXTS], axis=1),
        np.bincount(users, minlength=len(newest)),
    )
