"""BERT4Rec (Sun et al., arXiv 1904.06690): a transformer that fills gaps of histories.

A part of the items of a window (``masked``), and always its newest one, is replaced by one token;
each such gap is predicted from the items on both sides of it. To recommend, a gap is put behind the
history. The loss is a softmax over sampled items, or all. Only gaps are examples, so it needs many
more epochs than SASRec: too few are its usual fault (Petrov and Macdonald, arXiv 2207.07483).

Histories begin at place 0, padding comes after them, and nothing reads it. The paper's layer
between the blocks and the items is left out: with it, as many epochs learn less
(`tests/unit/lab/baselines/test_oracles.py`).
"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from gpt4rec_es.encoders.dropout import Dropout
from gpt4rec_es.encoders.sequence_network import INITIAL_STD, AttentionBlock, padded
from gpt4rec_es.lab.baselines.baseline_options import BaselineOptions
from gpt4rec_es.lab.baselines.network import BaselineData, BaselineNetwork
from gpt4rec_es.lab.sequences.item_softmax import drawn_items, item_softmax, sampling_chances
from gpt4rec_es.lab.sequences.sorted_batches import sorted_batches, windows

_UNCUT = 0.5  # part of the short histories that are read whole in an epoch


class Bert4Rec(BaselineNetwork):
    """The network; the rows behind those of the items are padding, and the gap."""

    name: ClassVar[str] = "bert4rec"

    def __init__(self, data: BaselineData, options: BaselineOptions) -> None:
        super().__init__(data, options)
        dim = options.dim
        self.padding, self.gap = data.n_items, data.n_items + 1
        self.items = nn.Embedding(data.n_items + 2, dim, padding_idx=self.padding)
        self.ages = nn.Embedding(options.length, dim)
        for table in (self.items, self.ages):
            nn.init.normal_(table.weight, std=INITIAL_STD)
        self.dropout = Dropout(options.dropout)
        self.blocks = nn.ModuleList(
            [AttentionBlock(dim, options.heads, options.dropout) for _ in range(options.blocks)]
        )
        self.norm = nn.LayerNorm(dim)
        self.bias = nn.Parameter(torch.zeros(data.n_items))
        self.register_buffer("chances", sampling_chances(self.events), persistent=False)

    def read(self, items: Any) -> Any:
        """Return vectors (rows, places, dim) of items (rows, places), padded at the end."""
        real = items != self.padding
        # Places are counted from the newest item: the gap to recommend by has the same everywhere.
        ages = (real.sum(1, keepdim=True) - real.cumsum(1)).clamp(min=0)
        hidden = self.dropout(self.items(items) + self.ages(ages))
        for block in self.blocks:
            hidden = block(hidden, real)
        return self.norm(hidden)

    def batches(self, data: BaselineData, epoch: int) -> Iterator[Any]:
        """Return (items with gaps, items in the gaps, negatives); the first two as (users, places).

        At other places than gaps there is padding instead of an item to predict.
        """
        random = np.random.default_rng((self.options.seed, epoch))
        known = [self._cut_short(history, random) for history in data.histories if history]
        cut = windows(known, self.options.length, 0, random, whole=self.options.whole)
        lengths = [len(window) for window in cut]
        for chosen in sorted_batches(lengths, self.options.batch_size, random):
            items = padded([cut[row] for row in chosen], self.padding).numpy()
            gaps = (random.random(items.shape) < self.options.masked) & (items != self.padding)
            # Recommending always asks for the newest place, which chance seldom makes a gap.
            newest = np.array([lengths[row] for row in chosen]) - 1
            gaps[np.arange(len(newest)), newest] = True
            shown, hidden = np.where(gaps, self.gap, items), np.where(gaps, items, self.padding)
            negatives = drawn_items(self.chances, self.options.samples, random)
            yield torch.from_numpy(shown), torch.from_numpy(hidden), negatives

    def _cut_short(self, history: Sequence[int], random: np.random.Generator) -> Sequence[int]:
        """Return every other history shorter than ``length`` without some of its newest items.

        Else it would end with the same item in each epoch, which is soon known by heart.
        """
        if len(history) >= self.options.length or random.random() < _UNCUT:
            return history
        return history[: int(random.integers(min(2, len(history)), len(history) + 1))]

    def loss(self, *batch: Any) -> Any:
        """Return the mean cross-entropy of the items in the gaps."""
        items, following, negatives = batch
        gaps = following != self.padding
        hidden, vectors = self.read(items)[gaps], self.items.weight[: self.n_items]
        return item_softmax(hidden, following[gaps], vectors, self.bias, negatives, self.chances)

    def scores(self, users: Any, histories: Sequence[Sequence[int]]) -> Any:  # noqa: ARG002 - by history alone
        """Return scores as (users, items) of a gap behind each history."""
        newest = self.options.length - 1
        windows = [[*(history[-newest:] if newest else []), self.gap] for history in histories]
        items = padded(windows, self.padding).to(self.bias.device)
        last = torch.tensor([len(window) - 1 for window in windows], device=items.device)
        hidden = self.read(items)[torch.arange(len(windows), device=items.device), last]
        return hidden @ self.items.weight[: self.n_items].T + self.bias
