"""FM-BPR: a factorisation machine (Rendle, ICDM 2010) of user, item, category and brand, by BPR.

Each feature has a vector and a bias, and a score is the sum of biases and of the products of all
pairs of vectors. What does not depend on the user becomes a bias of the item, and the rest is the
product of the user's vector with the sum of the item's: a catalog is scored by one matrix product.
The loss is that of ``bpr_mf``.

The category is the whole path. An item without a training event has no vector of its own: category
and brand, where it has them, decide. A user that training never saw is served by the mean of the
summed vectors of the history's items.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import nn

from gpt4rec_es.lab.baselines.baseline_options import BaselineOptions
from gpt4rec_es.lab.baselines.bpr_mf import BprMf, Read
from gpt4rec_es.lab.baselines.network import BaselineData


class FmBpr(BprMf):
    """The network: BPR-MF with vectors and biases of categories and brands."""

    name: ClassVar[str] = "fm_bpr"
    reads: ClassVar[tuple[str, ...]] = ("category", "brand")

    def __init__(self, data: BaselineData, options: BaselineOptions) -> None:
        super().__init__(data, options)
        self.register_buffer("known", self.events > 0, persistent=False)
        columns = [_numbered([one.category for one in data.fields])]
        columns.append(_numbered([one.brand for one in data.fields], 1 + int(columns[0].max())))
        # (items, 2): numbers of category and brand; 0: the item has none.
        self.register_buffer("places", torch.stack(columns, 1), persistent=False)
        count = 1 + int(self.places.max())
        self.features = nn.Embedding(count, options.dim, padding_idx=0)
        nn.init.normal_(self.features.weight, std=0.1 * options.dim**-0.5)
        with torch.no_grad():
            self.features.weight[0] = 0
        self.feature_bias = nn.Embedding(count, 1, padding_idx=0)
        nn.init.zeros_(self.feature_bias.weight)

    @property
    def unlisted(self) -> Any:
        """Items without a training event, category and brand."""
        return ~self.known & (self.places == 0).all(1)

    def read(self, items: Any) -> Read:
        """Return sums of vectors, and biases with the products of pairs within the item."""
        known = self.known[items].float()
        own, bias = self.items(items) * known.unsqueeze(-1), self.bias[items] * known
        places = self.places[items]
        features, biases = self.features(places), self.feature_bias(places).squeeze(-1)
        vectors = own + features.sum(-2)
        squares = own.square().sum(-1) + features.square().sum((-2, -1))
        # The sum of the products of all pairs, by the square of the sum (equation 5 of the paper).
        pairs = (vectors.square().sum(-1) - squares) / 2
        squares = squares + bias.square() + biases.square().sum(-1)
        return Read(vectors, bias + biases.sum(-1) + pairs, squares)


def _numbered(values: Sequence[str | None], first: int = 1) -> Any:
    """Return consecutive numbers of equal values from ``first`` on; 0: no value."""
    numbers: dict[str, int] = {}
    return torch.tensor(
        [numbers.setdefault(value, first + len(numbers)) if value else 0 for value in values]
    )
