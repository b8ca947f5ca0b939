"""ContentRec: StarSpace (Wu et al., arXiv 1709.03856) on words of titles, as in GPT4Rec's tables.

An item is the mean of the vectors of its title's words, a user the mean of the newest ``length``
items, and the score their cosine. The loss wants the next purchase to be nearer to the user than
drawn items, by ``margin``. Nothing is learned of a user or an item as such, so new users are
served, and every item with a title can be in a list.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from gpt4rec_es.lab.baselines.baseline_options import BaselineOptions
from gpt4rec_es.lab.baselines.network import BaselineData, BaselineNetwork
from gpt4rec_es.lab.baselines.next_purchases import newest_first, next_purchases
from gpt4rec_es.lab.sequences.item_softmax import sampling_chances


class ContentRec(BaselineNetwork):
    """The network: a vector for each word."""

    name: ClassVar[str] = "content_rec"
    reads: ClassVar[tuple[str, ...]] = ("title",)

    def __init__(self, data: BaselineData, options: BaselineOptions) -> None:
        super().__init__(data, options)
        numbers: dict[str, int] = {}
        titles = [
            [numbers.setdefault(word, len(numbers)) for word in words_of(one.title)]
            for one in data.fields
        ]
        counts = torch.tensor([len(title) for title in titles])
        flat = torch.tensor([word for title in titles for word in title], dtype=torch.long)
        self.register_buffer("flat", flat, persistent=False)
        self.register_buffer("counts", counts, persistent=False)
        self.register_buffer("starts", counts.cumsum(0) - counts, persistent=False)
        self.words = nn.Embedding(max(1, len(numbers)), options.dim)
        nn.init.normal_(self.words.weight, std=options.dim**-0.5)
        self.register_buffer("chances", sampling_chances(self.events), persistent=False)

    @property
    def unlisted(self) -> Any:
        """Items without a title."""
        return self.counts == 0

    def vectors(self, items: Any) -> Any:
        """Return the vectors of items, (items, dim); zeros without a title."""
        counts = self.counts[items]
        starts = counts.cumsum(0) - counts
        places = torch.arange(int(counts.sum()), device=counts.device)
        words = self.flat[places + (self.starts[items] - starts).repeat_interleave(counts)]
        return functional.embedding_bag(words, self.words.weight, starts, mode="mean")

    def users_of(self, items: Any, vectors: Any) -> Any:
        """Return vectors (users, dim) of length 1 of rows of ``vectors`` (users, places).

        -1: no item.
        """
        kept = (items >= 0).unsqueeze(2)
        return functional.normalize((vectors[items.clamp(min=0)] * kept).sum(1), dim=1)

    def batches(self, data: BaselineData, epoch: int) -> Iterator[Any]:
        """Return (items, next item, negatives); see ``next_purchases``."""
        options, random = self.options, np.random.default_rng((self.options.seed, epoch))
        sizes = options.length, options.batch_size, self.chances, options.samples
        return next_purchases(data.histories, *sizes, random)

    def loss(self, *batch: Any) -> Any:
        """Return the mean hinge of the differences of cosines to all negatives."""
        # Of the catalog only the items of the batch are read, each once.
        distinct, places = torch.cat([one.flatten() for one in batch]).unique(return_inverse=True)
        vectors = self.vectors(distinct.clamp(min=0))
        read, following, negatives = places.split([one.numel() for one in batch])
        items = read.view_as(batch[0]).masked_fill(batch[0] < 0, -1)
        users, unit = self.users_of(items, vectors), functional.normalize(vectors, dim=1)
        positive = (users * unit[following]).sum(1, keepdim=True)
        hinges = (self.options.margin - positive + users @ unit[negatives].T).clamp(min=0)
        return hinges.masked_fill(negatives == following.unsqueeze(1), 0).mean()

    def scores(self, users: Any, histories: Sequence[Sequence[int]]) -> Any:  # noqa: ARG002 - by history alone
        """Return cosines as (users, items)."""
        catalog = self.vectors(torch.arange(self.n_items, device=self.counts.device))
        items = newest_first(histories, self.options.length).to(catalog.device)
        return self.users_of(items, catalog) @ functional.normalize(catalog, dim=1).T


def words_of(title: str | None) -> list[str]:
    """Return the lower-case words of a title."""
    return re.findall(r"\w+", (title or "").lower())
