"""Scores of pairs of users and items, and a user's list: what callers ask of a recommender.

The score of a pair is the product of its towers plus biases. Only that of the item is learned: that
of a user changes no order, and cancels out in every loss here (softmax and BPR), so lists, losses
and nights leave it out. ``predict`` has one, so that its values compare between users.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from gpt4rec_es.reranking.catalog_lists import best_items
from gpt4rec_es.reranking.metadata import pad_histories
from gpt4rec_es.reranking.two_towers import TwoTowers


class Read(NamedTuple):
    """What a batch reads, each distinct item and text once.

    users: (users, dim). items: (distinct items, dim) with ``biases``; number i is row lookup[i].
    texts: their vectors, see ``take``.
    """

    users: Any
    items: Any
    biases: Any
    lookup: Any
    texts: Any


class PairScores(TwoTowers):
    """Towers that score given pairs."""

    def forward(self, triples: tuple[Any, Any, Any]) -> tuple[Any, Any]:
        """Return raw scores of users with their positives and with their negatives, (users,) each.

        triples: numbers of users of the training data, positives, negatives. A user is read by what
        the training data has before the positive.
        """
        users, positives, negatives = triples
        histories = [
            _before(self.train_histories[user], item)
            for user, item in zip(users.tolist(), positives.tolist(), strict=True)
        ]
        padded = pad_histories(histories, self.options.history_length).to(self.item_bias.device)
        read = self.read(users, padded, torch.cat([positives, negatives]))

        def scores(items: Any) -> Any:
            rows = read.lookup[items]
            return (read.users * read.items[rows]).sum(1) + read.biases[rows]

        return scores(positives), scores(negatives)

    def predict(self, users: Sequence[int], items: Sequence[int]) -> Any:
        """Return the log-probability of each item to be the next one of its user, (pairs,).

        That is the raw score plus the user's bias, minus the logarithm of the sum of exp(score)
        over the catalog. users: of the training data; they are read by all of it. Without
        gradients and dropout.

        Raises:
            DataError: a number is out of range.
        """
        distinct = sorted({*users})
        self.require_known(distinct, [list(items)])
        histories = [self.train_histories[user] for user in distinct]
        scores = self.score_catalog(distinct, histories, self.snapshot()).log_softmax(1)
        row = {user: place for place, user in enumerate(distinct)}
        return scores[[row[user] for user in users], list(items)]

    def recommend(self, user: int, k: int) -> list[int]:
        """Return the ``k`` best items for a user of the training data; see ``best_items``."""
        return best_items(self, [user], [self.train_histories[user]], k, self.snapshot())[0]

    def read(self, users: Any, histories: Any, items: Any, spots: Any = None) -> Read:
        """Return vectors of users, and of ``items`` and those of histories that users need.

        histories: (users, length), newest first, then MISSING; spots: see ``history_vectors``.
        """
        if self.options.user_mode != "id":
            items = torch.cat([items, histories[histories >= 0]])
        distinct = items.unique()
        lookup = torch.zeros(self.n_items, dtype=torch.long, device=distinct.device)
        lookup[distinct] = torch.arange(len(distinct), device=distinct.device)
        places = self.item_places[distinct].flatten()
        if self.users is not None:
            places = torch.cat([places, self.places_of_users(users).flatten()])
        texts = self.table.read_for(places)
        vectors, biases, _ = self.item_vectors(distinct, texts)
        own = self.user_vectors(users, histories, vectors, lookup, texts, spots)
        return Read(own, vectors, biases, lookup, texts)


def _before(history: Sequence[int], item: int) -> Sequence[int]:
    """Return the part of a history before an item; all of it where the item is not in it."""
    return history[: history.index(item)] if item in history else history
