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

from gpt4rec_es.encoders.sequence_network import SequenceNetwork, padded
from gpt4rec_es.lab.baselines.baseline_options import BaselineOptions
from gpt4rec_es.lab.baselines.network import BaselineData, BaselineNetwork
from gpt4rec_es.lab.sequences.item_softmax import drawn_items, item_softmax, sampling_chances
from gpt4rec_es.lab.sequences.sorted_batches import sorted_batches, windows


class SasRec(BaselineNetwork, SequenceNetwork):
    """The network; ``options.length``, ``blocks``, ``heads`` and ``dropout`` shape it.

    A night can read users by it, see reranking/served_sequence.py.
    """

    name: ClassVar[str] = "sasrec"
    is_served: ClassVar[bool] = True

    def __init__(self, data: BaselineData, options: BaselineOptions) -> None:
        super().__init__(data, options)
        self.add_layers(
            data.n_items,
            dim=options.dim,
            length=options.length,
            blocks=options.blocks,
            heads=options.heads,
            dropout=options.dropout,
        )
        self.register_buffer("chances", sampling_chances(self.events), persistent=False)
        self.register_buffer("no_bias", torch.zeros(data.n_items), persistent=False)

    def batches(self, data: BaselineData, epoch: int) -> Iterator[Any]:
        """Return (items, next items, negatives); the first two are (users, places)."""
        random = np.random.default_rng((self.options.seed, epoch))
        size, most = self.options.batch_size, self.options.length + 1
        long_enough = [history for history in data.histories if len(history) > 1]
        # The last item of a window is the first of the next, so that each is predicted once.
        cut = windows(long_enough, most, 1, random, whole=self.options.whole)
        for chosen in sorted_batches([len(window) for window in cut], size, random):
            rows = [cut[row] for row in chosen]
            items = padded([row[:-1] for row in rows], self.n_items)
            following = padded([row[1:] for row in rows], self.n_items)
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
        items = padded(windows, self.n_items).to(self.items.weight.device)
        hidden = self.read_last(self.items(items), [len(window) for window in windows])
        return hidden @ self.items.weight[:-1].T
