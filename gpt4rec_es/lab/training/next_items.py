"""Examples of a recommender: each next item after a history, and new negatives each epoch."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from gpt4rec_es.errors import DataError
from gpt4rec_es.reranking.learning import Batch
from gpt4rec_es.reranking.metadata import RecommenderData, pad_histories
from gpt4rec_es.reranking.two_towers import TowerOptions

# Exponent of an item's number of events: between uniform (0) and by popularity (1).
_POWER = 0.5


class NextItems:
    """Batches of the next items in all histories.

    samples: negatives of a batch, drawn with replacement from all items by (events + 1)^1/2. Equal
    arguments give equal batches; each epoch has its own order and negatives.
    """

    def __init__(
        self,
        data: RecommenderData,
        options: TowerOptions,
        *,
        batch_size: int,
        samples: int = 256,
        seed: int = 0,
    ) -> None:
        self._data, self._length = data, options.history_length
        self._batch_size, self._samples, self._seed = batch_size, samples, seed
        # Without its ID a user is nothing but a history, so the first item has no example.
        first = 1 if options.user_mode == "history" else 0
        spans = [
            (user, place)
            for user, history in enumerate(data.histories)
            for place in range(first, len(history))
        ]
        if not spans:
            raise DataError("There is no purchase to learn from.", "Import more purchases.")
        self._users, self._places = np.array(spans, np.int64).T
        self._n_items = len(data.items)
        flat = [
            user * self._n_items + item
            for user, history in enumerate(data.histories)
            for item in history
        ]
        self._bought = np.unique(np.array(flat, np.int64))
        weights = (data.item_counts.numpy() + 1.0) ** _POWER
        self._chances = weights / weights.sum()

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self._users)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch."""
        random = np.random.default_rng((self._seed, epoch))
        order = random.permutation(len(self))
        for start in range(0, len(order), self._batch_size):
            yield self._batch(order[start : start + self._batch_size], random)

    def _batch(self, chosen: Any, random: np.random.Generator) -> Batch:
        users, places = self._users[chosen], self._places[chosen]
        histories = [self._data.histories[user] for user in users]
        before = [history[:place] for history, place in zip(histories, places, strict=True)]
        positives = [history[place] for history, place in zip(histories, places, strict=True)]
        negatives = random.choice(self._n_items, self._samples, p=self._chances)
        keys = users[:, None] * self._n_items + negatives
        found = np.searchsorted(self._bought, keys).clip(max=len(self._bought) - 1)
        return Batch(
            users=torch.from_numpy(users),
            positives=torch.tensor(positives),
            histories=pad_histories(before, self._length),
            negatives=torch.from_numpy(negatives),
            log_expected=torch.from_numpy(np.log(self._samples * self._chances[negatives])).float(),
            excluded=torch.from_numpy(self._bought[found] == keys),
        )
