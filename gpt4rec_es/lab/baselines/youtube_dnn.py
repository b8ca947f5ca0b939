"""YouTubeDNN (Covington, Adams, Sargin, RecSys 2016): candidate generation, on purchases.

A user is the mean of the vectors of the newest ``length`` items, read by rectified layers; there is
no embedding of the user's number, so users that training never saw are served, too. The score of an
item is the product with a second table of vectors, plus a bias, and the loss is a softmax over the
next item. Each purchase but a user's first is an example, predicted from those before it.
``dropout`` leaves whole items out of the mean.
"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from gpt4rec_es.lab.baselines.baseline_options import BaselineOptions
from gpt4rec_es.lab.baselines.network import BaselineData, BaselineNetwork
from gpt4rec_es.lab.baselines.next_purchases import newest_first, next_purchases
from gpt4rec_es.lab.sequences.item_softmax import item_softmax, sampling_chances


class YouTubeDnn(BaselineNetwork):
    """The network: item vectors, two layers, and item vectors of the last layer."""

    name: ClassVar[str] = "youtube_dnn"

    def __init__(self, data: BaselineData, options: BaselineOptions) -> None:
        super().__init__(data, options)
        dim = options.dim
        self.items = nn.Embedding(data.n_items, dim)
        self.layers = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
        self.targets = nn.Embedding(data.n_items, dim)
        for table in (self.items, self.targets):
            nn.init.normal_(table.weight, std=dim**-0.5)
        self.bias = nn.Parameter(torch.zeros(data.n_items))
        self.register_buffer("chances", sampling_chances(self.events), persistent=False)

    def read(self, items: Any) -> Any:
        """Return vectors (users, dim) of items (users, places); -1: no item."""
        kept = items >= 0
        if self.training and self.options.dropout:
            drawn = torch.rand(items.shape, device=items.device) >= self.options.dropout
            drawn[:, 0] = True  # the newest one stays
            kept = kept & drawn
        vectors = self.items(items.clamp(min=0)) * kept.unsqueeze(2)
        return self.layers(vectors.sum(1) / kept.sum(1, keepdim=True).clamp(min=1))

    def batches(self, data: BaselineData, epoch: int) -> Iterator[Any]:
        """Return (items, next item, negatives); see ``next_purchases``."""
        options, random = self.options, np.random.default_rng((self.options.seed, epoch))
        sizes = options.length, options.batch_size, self.chances, options.samples
        return next_purchases(data.histories, *sizes, random)

    def loss(self, *batch: Any) -> Any:
        """Return the mean cross-entropy of the next items."""
        items, following, negatives = batch
        vectors, biases = self.targets.weight, self.bias
        return item_softmax(self.read(items), following, vectors, biases, negatives, self.chances)

    def scores(self, users: Any, histories: Sequence[Sequence[int]]) -> Any:  # noqa: ARG002 - by history alone
        """Return scores as (users, items)."""
        items = newest_first(histories, self.options.length).to(self.bias.device)
        return self.read(items) @ self.targets.weight.T + self.bias
