"""SASRec (Kang and McAuley, arXiv 1808.09781): a causal transformer over a user's history.

Every place of a history predicts the next item, and the score of an item is the product of the
place's vector and the item's own embedding. The loss is cross-entropy over all items, or over
sampled ones with the correction of ``item_softmax``: with the single negative of the paper the
network is overconfident and far weaker (gSASRec, arXiv 2308.07192; arXiv 2309.07602).

A user is nothing but the newest ``length`` items, so users that training never saw are served, too.
Histories begin at place 0 and padding comes after them, where no causal attention of a real place
reaches: padding changes nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from gpt4rec_es.lab.baselines.baseline_options import BaselineOptions
from gpt4rec_es.lab.baselines.item_softmax import drawn_items, item_softmax, sampling_chances
from gpt4rec_es.lab.baselines.network import BaselineData, BaselineNetwork

# Batches per chunk of shuffled users, which is ordered by length: less padding.
_SORTED_BATCHES = 16


class SasRec(BaselineNetwork):
    """The network; ``options.length``, ``blocks``, ``heads`` and ``dropout`` shape it."""

    name: ClassVar[str] = "sasrec"

    def __init__(self, data: BaselineData, options: BaselineOptions) -> None:
        super().__init__(data, options)
        dim = options.dim
        # The last row is that of padding.
        self.items = nn.Embedding(data.n_items + 1, dim, padding_idx=data.n_items)
        self.places = nn.Embedding(options.length, dim)
        for table in (self.items, self.places):
            nn.init.normal_(table.weight, std=dim**-0.5)
        self.dropout = nn.Dropout(options.dropout)
        self.blocks = nn.ModuleList(
            [_Block(dim, options.heads, options.dropout) for _ in range(options.blocks)]
        )
        self.norm = nn.LayerNorm(dim)
        self.register_buffer("chances", sampling_chances(self.events), persistent=False)
        self.register_buffer("no_bias", torch.zeros(data.n_items), persistent=False)

    def read(self, items: Any) -> Any:
        """Return vectors (rows, places, dim) of items (rows, places), padded at the end.

        The vector of a place depends on the items up to it alone.
        """
        places = torch.arange(items.shape[1], device=items.device)
        hidden = self.dropout(self.items(items) + self.places(places))
        for block in self.blocks:
            hidden = block(hidden)
        return self.norm(hidden)

    def batches(self, data: BaselineData, epoch: int) -> Iterator[Any]:
        """Return (items, next items, negatives); the first two are (users, places)."""
        random = np.random.default_rng((self.options.seed, epoch))
        size, most = self.options.batch_size, self.options.length + 1
        windows = [list(history[-most:]) for history in data.histories if len(history) > 1]
        lengths = np.array([len(window) for window in windows])
        order = random.permutation(len(windows))
        chosen: list[Any] = []
        for start in range(0, len(order), size * _SORTED_BATCHES):
            chunk = order[start : start + size * _SORTED_BATCHES]
            chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
            chosen += [chunk[first : first + size] for first in range(0, len(chunk), size)]
        for place in random.permutation(len(chosen)):
            rows = [windows[row] for row in chosen[place]]
            items = self.padded([row[:-1] for row in rows])
            following = self.padded([row[1:] for row in rows])
            yield items, following, drawn_items(self.chances, self.options.samples, random)

    def loss(self, *batch: Any) -> Any:
        """Return the mean cross-entropy of the next items of all places."""
        items, following, negatives = batch
        real = following != self.n_items
        hidden, positives = self.read(items)[real], following[real]
        vectors = self.items.weight[:-1]
        return item_softmax(hidden, positives, vectors, self.no_bias, negatives, self.chances)

    def scores(self, users: Any, histories: Sequence[Sequence[int]]) -> Any:  # noqa: ARG002 - by history alone
        """Return scores as (users, items)."""
        windows = [list(history[-self.options.length :]) for history in histories]
        items = self.padded(windows).to(self.items.weight.device)
        last = torch.tensor([len(window) - 1 for window in windows], device=items.device)
        hidden = self.read(items)[torch.arange(len(windows), device=items.device), last]
        return hidden @ self.items.weight[:-1].T

    def padded(self, rows: Sequence[Sequence[int]]) -> Any:
        """Return rows of items as one tensor, as wide as the longest, padded at the end."""
        width = max(map(len, rows))
        return torch.tensor([[*row, *[self.n_items] * (width - len(row))] for row in rows])


class _Block(nn.Module):  # type: ignore[misc]  # torch leaves it untyped
    """Causal attention and a feed-forward layer, each behind a norm and beside a residual."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.rate = heads, dropout
        self.before_attention, self.before_layers = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.joint, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.layers = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Any) -> Any:
        """Return (rows, places, dim)."""
        rows, places, dim = hidden.shape
        joint = self.joint(self.before_attention(hidden))
        split = joint.view(rows, places, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = split
        read = functional.scaled_dot_product_attention(
            query, key, value, dropout_p=self.rate if self.training else 0.0, is_causal=True
        )
        read = self.out(read.transpose(1, 2).reshape(rows, places, dim))
        hidden = hidden + self.dropout(read)
        return hidden + self.dropout(self.layers(self.before_layers(hidden)))
