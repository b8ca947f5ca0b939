"""A block of a transformer over histories, and histories as batches of like length."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

# Batches per chunk of shuffled rows, which is ordered by length: less padding.
_SORTED_BATCHES = 16


class AttentionBlock(nn.Module):  # type: ignore[misc]  # torch leaves it untyped
    """Attention and a feed-forward layer, each behind a norm and beside a residual."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.rate = heads, dropout
        self.before_attention, self.before_layers = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.joint, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.layers = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Any, real: Any = None) -> Any:
        """Return (rows, places, dim).

        real: (rows, places), places that all others read; None: each reads those up to itself.
        """
        rows, places, dim = hidden.shape
        joint = self.joint(self.before_attention(hidden))
        split = joint.view(rows, places, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = split
        read = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=None if real is None else real[:, None, None, :],
            dropout_p=self.rate if self.training else 0.0,
            is_causal=real is None,
        )
        read = self.out(read.transpose(1, 2).reshape(rows, places, dim))
        hidden = hidden + self.dropout(read)
        return hidden + self.dropout(self.layers(self.before_layers(hidden)))


def padded(rows: Sequence[Sequence[int]], padding: int) -> Any:
    """Return rows of items as one tensor, as wide as the longest, padded at the end."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[padding] * (width - len(row))] for row in rows])


def windows(
    histories: Sequence[Sequence[int]],
    most: int,
    shared: int,
    random: np.random.Generator,
    *,
    whole: bool,
) -> list[Sequence[int]]:
    """Return the newest ``most`` items of each history, and with ``whole`` the older ones as well.

    These are cut into windows of at most ``most`` items at places that differ from epoch to epoch,
    so that an item is not always the first of its window. Neighbours have ``shared`` items in
    common.
    """
    found = []
    for history in histories:
        begin = max(0, len(history) - most)
        found.append(history[begin:])
        width = int(random.integers(shared + 1, most + 1)) if whole and begin else most
        while whole and begin:
            end = begin + shared
            begin = max(0, end - width)
            found.append(history[begin:end])
            width = most
    return found


def sorted_batches(
    lengths: Sequence[int], size: int, random: np.random.Generator
) -> Iterator[list[int]]:
    """Yield the numbers of all rows in batches of like length, in random order."""
    spans, order = np.array(lengths), random.permutation(len(lengths))
    chosen: list[list[int]] = []
    for start in range(0, len(order), size * _SORTED_BATCHES):
        chunk = order[start : start + size * _SORTED_BATCHES]
        chunk = chunk[np.argsort(spans[chunk], kind="stable")]
        chosen += [chunk[first : first + size].tolist() for first in range(0, len(chunk), size)]
    for place in random.permutation(len(chosen)):
        yield chosen[place]
