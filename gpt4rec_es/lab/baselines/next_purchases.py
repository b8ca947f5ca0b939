"""Examples of methods that predict a purchase from the ones before it."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from gpt4rec_es.lab.sequences.item_softmax import drawn_items


def next_purchases(
    histories: Sequence[Sequence[int]],
    length: int,
    size: int,
    chances: Any,
    samples: int,
    random: np.random.Generator,
) -> Iterator[Any]:
    """Yield (items, next item, negatives) of all purchases but each user's first, shuffled.

    items: (examples, ``length``), those before the next one, newest first, then -1. negatives:
    (``samples``,), drawn by ``chances``, for all ``size`` examples of a batch.
    """
    flat = np.array([item for history in histories for item in history], np.int64)
    spans = np.array([len(history) for history in histories])
    firsts = np.repeat(np.cumsum(spans) - spans, spans)
    order = random.permutation(np.flatnonzero(np.arange(len(flat)) > firsts))
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        places = chosen[:, None] - 1 - np.arange(length)
        before = np.where(places >= firsts[chosen][:, None], flat[places.clip(min=0)], -1)
        negatives = drawn_items(chances, samples, random)
        yield torch.from_numpy(before), torch.from_numpy(flat[chosen]), negatives


def newest_first(histories: Sequence[Sequence[int]], length: int) -> Any:
    """Return histories as ``next_purchases`` does: (users, ``length``), newest first, then -1."""
    items = torch.full((len(histories), length), -1)
    for row, history in enumerate(histories):
        newest = list(history[-length:])[::-1]
        items[row, : len(newest)] = torch.tensor(newest)
    return items
