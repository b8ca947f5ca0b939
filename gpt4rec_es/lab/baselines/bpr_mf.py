"""BPR-MF (Rendle et al., arXiv 1205.2618): matrix factorisation that learns from pairs.

The score of an item for a user is the product of their vectors plus the item's bias. For each
purchase, items that the user did not buy are drawn, and the loss is -log sigmoid(score of the
bought one - score of the other). As in the paper the weights of an example are kept small (``l2``).

A user that training never saw is served by the mean of the vectors of the history's items.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from gpt4rec_es.lab.baselines.baseline_options import BaselineOptions
from gpt4rec_es.lab.baselines.network import BaselineData, BaselineNetwork


class BprMf(BaselineNetwork):
    """The network: a vector for each user and item, and a bias for each item."""

    name: ClassVar[str] = "bpr_mf"

    def __init__(self, data: BaselineData, options: BaselineOptions) -> None:
        super().__init__(data, options)
        self.users = nn.Embedding(len(data.histories), options.dim)
        self.items = nn.Embedding(data.n_items, options.dim)
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=0.1 * options.dim**-0.5)
        self.bias = nn.Parameter(torch.zeros(data.n_items))
        self.pairs = Pairs(data.histories, data.n_items)

    def batches(self, data: BaselineData, epoch: int) -> Iterator[Any]:  # noqa: ARG002 - held already
        """Return (users, items, negatives); negatives are (purchases, samples)."""
        options = self.options
        random = np.random.default_rng((options.seed, epoch))
        yield from self.pairs.batches(options.batch_size, options.samples, random)

    def loss(self, *batch: Any) -> Any:
        """Return the mean loss of pairs, plus ``l2`` times the squares of an example's weights."""
        users, items, negatives = batch
        user, own, others = self.users(users), self.read(items), self.read(negatives)
        margins = ((user * own.vectors).sum(1) + own.biases).unsqueeze(1)
        margins = margins - ((user.unsqueeze(1) * others.vectors).sum(2) + others.biases)
        squares = user.square().sum(1) + own.squares + others.squares.mean(1)
        return functional.softplus(-margins).mean() + self.options.l2 * squares.mean()

    def read(self, items: Any) -> "Read":
        """Return what the score of ``items`` is made of, for any shape of item indices."""
        vectors, biases = self.items(items), self.bias[items]
        return Read(vectors, biases, vectors.square().sum(-1) + biases.square())

    def scores(self, users: Any, histories: Sequence[Sequence[int]]) -> Any:
        """Return scores as (users, items)."""
        catalog = self.read(torch.arange(self.n_items, device=self.bias.device))
        vectors = self.users(users.clamp(min=0).to(self.bias.device))
        for row in (users < 0).nonzero().flatten().tolist():
            vectors[row] = catalog.vectors[list(histories[row])].mean(0)
        return vectors @ catalog.vectors.T + catalog.biases


@dataclass(frozen=True, eq=False)
class Read:
    """Items as a score reads them. vectors: (..., dim); biases: (...,).

    squares: (...,), sum of the squares of all weights that are in them.
    """

    vectors: Any
    biases: Any
    squares: Any


class Pairs:
    """The purchases of a data set, in batches with drawn items that the user did not buy."""

    def __init__(self, histories: Sequence[Sequence[int]], n_items: int) -> None:
        spans = [len(history) for history in histories]
        self._n_items = n_items
        self._users = np.repeat(np.arange(len(spans)), spans)
        self._items = np.array([item for history in histories for item in history], np.int64)
        self._bought = np.unique(self._users * n_items + self._items)

    def batches(
        self, size: int, samples: int, random: np.random.Generator
    ) -> Iterator[tuple[Any, Any, Any]]:
        """Return (users, items, negatives) of all purchases in random order.

        negatives: (purchases, samples), uniform among the items that the user did not buy.
        """
        order = random.permutation(len(self._items))
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            users, items = self._users[chosen], self._items[chosen]
            drawn = self._drawn(users, samples, random)
            yield torch.from_numpy(users), torch.from_numpy(items), torch.from_numpy(drawn)

    def _drawn(self, users: Any, samples: int, random: np.random.Generator) -> Any:
        drawn = random.integers(self._n_items, size=(len(users), samples))
        # A user of all items has no negative; the draws end, and the pair teaches nothing.
        for _ in range(50):
            keys = users[:, None] * self._n_items + drawn
            places = np.searchsorted(self._bought, keys).clip(max=len(self._bought) - 1)
            bought = self._bought[places] == keys
            if not bought.any():
                break
            drawn[bought] = random.integers(self._n_items, size=int(bought.sum()))
        return drawn
