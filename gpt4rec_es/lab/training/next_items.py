"""Examples of a recommender: each next item after a history, and new negatives each epoch."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

from gpt4rec_es.errors import DataError
from gpt4rec_es.lab.sequences.sorted_batches import sorted_batches
from gpt4rec_es.reranking.learning import Batch
from gpt4rec_es.reranking.metadata import RecommenderData, pad_histories
from gpt4rec_es.reranking.tower_options import TowerOptions

# Exponent of an item's number of events: between uniform (0) and by popularity (1).
_POWER = 0.5
# Most examples of a row of a batch; with more, rows are fewer, and their users less mixed.
_SPAN = 16


class NextItems:
    """Batches of the next items in all histories.

    samples: negatives of a batch, drawn with replacement from all items by (events + 1)^1/2. Equal
    arguments give equal batches; each epoch has its own order and negatives. Neighbouring items
    of a user are examples of one row, which reads what they share once. Where blocks read
    sequences, the newest items are the only examples, and batches have rows of like length, so that
    their size is a mean.
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
        self._samples, self._seed = samples, seed
        # Without its ID a user is nothing but a history, so the first item has no example.
        first = 1 if options.user_mode == "history" else 0
        spans = []
        for user, history in enumerate(data.histories):
            start, most = first, _SPAN
            if options.blocks:
                start, most = max(first, len(history) - self._length), self._length
            spans += [
                (user, begin, min(begin + most, len(history)))
                for begin in range(start, len(history), most)
            ]
        if not spans:
            raise DataError("There is no purchase to learn from.", "Import more purchases.")
        # User, and the first and the last place + 1 of the items that are examples.
        self._spans = np.array(spans, np.int64)
        # What is read before the first place: blocks have no more of it than of others.
        self._before = 1 if options.blocks else self._length
        rows_of_users = np.bincount(self._spans[:, 0])
        self._row_log_q = np.log(rows_of_users.clip(min=1) / len(spans))
        self._examples = int((self._spans[:, 2] - self._spans[:, 1]).sum())
        self._blocks, self._size = options.blocks, batch_size
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
        return self._examples

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch."""
        random = np.random.default_rng((self._seed, epoch))
        lengths = self._spans[:, 2] - self._spans[:, 1]
        if self._blocks:
            rows = max(1, round(self._size * len(lengths) / self._examples))
            steps: Iterable[Any] = sorted_batches(lengths.tolist(), rows, random)
        else:
            order = random.permutation(len(lengths))
            number = (lengths[order].cumsum() - 1) // self._size
            steps = np.split(order, np.flatnonzero(np.diff(number)) + 1)
        for chosen in steps:
            yield self._batch(self._spans[chosen], random)

    def _batch(self, spans: Any, random: np.random.Generator) -> Batch:
        """Return the examples of some spans."""
        users, firsts, ends = spans.T
        rows = np.repeat(np.arange(len(spans)), ends - firsts)
        places = np.concatenate(
            [np.arange(first, end) for first, end in zip(firsts, ends, strict=True)]
        )
        begins = np.maximum(firsts - self._before, 0)
        histories = [self._data.histories[user] for user in users]
        read = [
            history[begin : end - 1]
            for history, begin, end in zip(histories, begins, ends, strict=True)
        ]
        positives = [histories[row][place] for row, place in zip(rows, places, strict=True)]
        negatives = random.choice(self._n_items, self._samples, p=self._chances)
        keys = users[:, None] * self._n_items + negatives
        found = np.searchsorted(self._bought, keys).clip(max=len(self._bought) - 1)
        bought = self._bought[found] == keys
        return Batch(
            users=torch.from_numpy(users[rows]),
            positives=torch.tensor(positives),
            histories=pad_histories(read, max(1, *map(len, read))),
            rows=torch.from_numpy(rows),
            counts=torch.from_numpy(places - begins[rows]),
            row_log_q=torch.from_numpy(self._row_log_q[users]).float(),
            negatives=torch.from_numpy(negatives),
            log_expected=torch.from_numpy(np.log(self._samples * self._chances[negatives])).float(),
            excluded=torch.from_numpy(bought[rows]),
        )
