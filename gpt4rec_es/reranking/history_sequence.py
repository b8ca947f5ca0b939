"""Histories of which every place is an example: a causal transformer, and running means."""

from typing import Any

import torch

from gpt4rec_es.encoders.sequence_network import SequenceNetwork
from gpt4rec_es.reranking.metadata import MISSING
from gpt4rec_es.reranking.tower_options import HEADS

_DROPOUT = 0.2


class HistorySequence(SequenceNetwork):
    """The blocks. length: newest items of a history, at most."""

    def __init__(self, dim: int, length: int, blocks: int) -> None:
        super().__init__()
        # Item vectors have components of about 1, those of places are smaller.
        self.scale = dim**-0.5
        shape = {"dim": dim, "length": length, "blocks": blocks, "heads": HEADS}
        self.add_blocks(**shape, dropout=_DROPOUT, std=self.scale)

    def forward(self, histories: Any, items: Any, lookup: Any, spots: Any = None) -> Any:
        """Return (examples, dim), each read from the beginning of a history.

        histories: (rows, length) item numbers, newest first. items: (some, dim), of which number i
        is row lookup[i]. spots: row of each example, and how many items, oldest first, it reads, at
        least 1; None: each row, all of its items, or any vector where it has none.
        """
        ordered, lengths = oldest_first(histories)
        states = self.read_vectors(items[lookup[ordered.clamp(min=0)]] * self.scale)
        rows, counts = (torch.arange(len(lengths)), lengths) if spots is None else spots
        return states[rows, (counts - 1).clamp(min=0)]


def newest_mean(histories: Any, items: Any, lookup: Any, recency: Any) -> Any:
    """Return (rows, dim), weighted means of the newest items; any vector where there is none.

    recency: (length,), the weights of places before their softmax, newest first; no mean is of
    more items. Else as ``HistorySequence.forward``.
    """
    histories = histories[:, : len(recency)]
    present = histories >= 0
    weights = recency[: histories.shape[1]].expand(histories.shape)
    weights = weights.masked_fill(~present, -torch.inf)
    # Without an item all weights are -inf, and their softmax is NaN.
    weights = weights.masked_fill(~present.any(1, keepdim=True), 0).softmax(1)
    return torch.einsum("ul,uld->ud", weights, items[lookup[histories.clamp(min=0)]])


def running_means(histories: Any, items: Any, lookup: Any, spots: Any, recency: Any) -> Any:
    """Return (examples, dim), the same for each example of ``spots``; all have at least 1 item."""
    ordered, _ = oldest_first(histories)
    places = torch.arange(ordered.shape[1], device=ordered.device)
    ages = places.unsqueeze(1) - places
    weights = recency[ages.clamp(0, len(recency) - 1)]
    weights = weights.masked_fill((ages < 0) | (ages >= len(recency)), -torch.inf).softmax(1)
    means = weights @ items[lookup[ordered.clamp(min=0)]]
    rows, counts = spots
    return means[rows, (counts - 1).clamp(min=0)]


def oldest_first(histories: Any) -> tuple[Any, Any]:
    """Return histories (rows, longest) oldest first without gaps, then MISSING, and their lengths.

    histories: (rows, length) item numbers, newest first, MISSING at some places.
    """
    missing = histories < 0
    lengths = (~missing).sum(1)
    newest_first = histories.gather(1, missing.long().argsort(dim=1, stable=True))
    width = max(int(lengths.max()), 1) if len(lengths) else 1
    places = torch.arange(width, device=histories.device)
    ordered = newest_first.gather(1, (lengths.unsqueeze(1) - 1 - places).clamp(min=0))
    return ordered.masked_fill(places >= lengths.unsqueeze(1), MISSING), lengths
