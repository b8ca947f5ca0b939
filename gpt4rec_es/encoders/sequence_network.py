"""Layers of SASRec (Kang and McAuley, arXiv 1808.09781): a causal transformer over a history.

The vector of a place stands for the items up to it; the score of the next item is its product with
the item's own embedding. Training is in lab/baselines/sasrec.py, serving in served_sequence.py.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from gpt4rec_es.encoders.dropout import Dropout

# Standard deviation of vectors of items and places before training, as in BERT and GPT-2. A product
# with a normed state has to say little at first: with larger ones (dim ** -0.5) a training began by
# unlearning them, and of long histories needed several times the epochs.
INITIAL_STD = 0.02


class AttentionBlock(nn.Module):  # type: ignore[misc]  # torch leaves it untyped
    """Attention and a feed-forward layer, each behind a norm and beside a residual."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_layers = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.joint, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.layers = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(), Dropout(dropout), nn.Linear(4 * dim, dim)
        )
        self.dropout = Dropout(dropout)

    def forward(self, hidden: Any, real: Any = None) -> Any:
        """Return (rows, places, dim).

        real: (rows, places), places that all others read; None: each reads those up to itself.
        """
        rows, places, dim = hidden.shape
        joint = self.joint(self.before_attention(hidden))
        split = joint.view(rows, places, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = split
        read = self._attend(query, key, value, None if real is None else real[:, None, None, :])
        read = self.out(read.transpose(1, 2).reshape(rows, places, dim))
        hidden = hidden + self.dropout(read)
        return hidden + self.dropout(self.layers(self.before_layers(hidden)))

    def _attend(self, query: Any, key: Any, value: Any, usable: Any) -> Any:
        """Return (rows, heads, places, width); usable: places to read, None: those up to it."""
        if not self.training or query.device.type != "cpu":
            rate = self.dropout.rate if self.training else 0.0
            return functional.scaled_dot_product_attention(
                query, key, value, attn_mask=usable, dropout_p=rate, is_causal=usable is None
            )
        # torch's own draws its dropout slowly on a CPU.
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        if usable is None:
            usable = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        weights = scores.masked_fill(~usable, -torch.inf).softmax(-1)
        return self.dropout(weights) @ value


class SequenceNetwork(nn.Module):  # type: ignore[misc]  # torch leaves it untyped
    """Embeddings of items and places, and blocks; ``add_layers`` makes them."""

    def add_layers(
        self, n_items: int, *, dim: int, length: int, blocks: int, heads: int, dropout: float
    ) -> None:
        """Add the layers; the embedding behind those of the items is that of padding."""
        self.items = nn.Embedding(n_items + 1, dim, padding_idx=n_items)
        nn.init.normal_(self.items.weight, std=INITIAL_STD)
        self.add_blocks(dim=dim, length=length, blocks=blocks, heads=heads, dropout=dropout)

    def add_blocks(
        self,
        *,
        dim: int,
        length: int,
        blocks: int,
        heads: int,
        dropout: float,
        std: float = INITIAL_STD,
    ) -> None:
        """Add the layers but for the items, for vectors that come from elsewhere.

        std: of the first vectors of places; about that of the items' components.
        """
        self.places = nn.Embedding(length, dim)
        nn.init.normal_(self.places.weight, std=std)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList([AttentionBlock(dim, heads, dropout) for _ in range(blocks)])
        self.norm = nn.LayerNorm(dim)

    def read(self, items: Any) -> Any:
        """Return vectors (rows, places, dim) of items (rows, places), padded at the end."""
        return self.read_vectors(self.items(items))

    def read_vectors(self, vectors: Any) -> Any:
        """Return (rows, places, dim) from item vectors of that shape, padded at the end.

        The vector of a place depends on the items up to it alone.
        """
        places = torch.arange(vectors.shape[1], device=vectors.device)
        hidden = self.dropout(vectors + self.places(places))
        for block in self.blocks:
            hidden = block(hidden)
        return self.norm(hidden)

    def read_last(self, vectors: Any, lengths: Sequence[int]) -> Any:
        """Return the vector of the last item of each row, (rows, dim); lengths: without padding."""
        last = torch.tensor(lengths, device=vectors.device) - 1
        return self.read_vectors(vectors)[torch.arange(len(lengths), device=vectors.device), last]


def padded(rows: Sequence[Sequence[int]], padding: int) -> Any:
    """Return rows of items as one tensor, as wide as the longest, padded at the end."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[padding] * (width - len(row))] for row in rows])
