"""Embeddings of users or items by number, with one for those that training does not know."""

from typing import Any

import torch
from torch import nn


class IdEmbeddings(nn.Module):  # type: ignore[misc]  # torch leaves it untyped
    """Embeddings of known ids, and one for all others.

    A number is known if training has an event of it; others never get a gradient.
    """

    def __init__(self, known: Any, dim: int, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(len(known), dim)
        nn.init.normal_(self.table.weight, std=dim**-0.5)
        self.other = nn.Parameter(torch.zeros(dim))
        self.dropout = dropout
        self.register_buffer("known", known)

    def usable(self, numbers: Any) -> Any:
        """Return which numbers are known; in training without those that are dropped."""
        known = self.known[numbers.clamp(min=0)] & (numbers >= 0)
        if self.training and self.dropout:
            known &= torch.rand(len(numbers), device=known.device) >= self.dropout
        return known

    def forward(self, numbers: Any, usable: Any) -> Any:
        """Return (numbers, dim)."""
        own = self.table(numbers.clamp(min=0))
        return torch.where(usable.unsqueeze(1), own, self.other.expand_as(own))
