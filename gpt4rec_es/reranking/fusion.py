"""Ways to join an ID embedding with the vectors of metadata fields."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from gpt4rec_es.encoders.dropout import Dropout
from gpt4rec_es.reranking.text_table import take


class _FieldReader(nn.Module):  # type: ignore[misc]  # torch leaves it untyped
    """Scales and projects vectors of a GPT-2, whose width has few dominant directions."""

    def __init__(self, width: int, metadata_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.project = nn.Linear(width, metadata_dim)

    def forward(self, vectors: Any) -> Any:
        """Return (..., metadata_dim) of (..., width)."""
        return self.project(self.norm(vectors))


class Concatenation(nn.Module):  # type: ignore[misc]
    """ID embedding and projected metadata side by side, projected."""

    def __init__(self, width: int, metadata_dim: int, n_fields: int, dim: int) -> None:
        super().__init__()
        self.read = _FieldReader(width, metadata_dim)
        self.out = nn.Linear(dim + n_fields * metadata_dim, dim)

    def forward(self, query: Any, table: Any, places: Any) -> tuple[Any, None]:
        """Return (entities, dim) of IDs (entities, dim) and texts; see ``take``."""
        fields = take(table, places, self.read)
        return self.out(torch.cat([query, fields.flatten(1)], 1)), None


class GatedConcatenation(nn.Module):  # type: ignore[misc]
    """ID embedding plus projected metadata, as far as a gate lets these through."""

    def __init__(self, width: int, metadata_dim: int, n_fields: int, dim: int) -> None:
        super().__init__()
        self.read = _FieldReader(width, metadata_dim)
        self.join = nn.Linear(n_fields * metadata_dim, dim)
        self.gate = nn.Linear(2 * dim, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, query: Any, table: Any, places: Any) -> tuple[Any, None]:
        """Return (entities, dim) of IDs (entities, dim) and texts; see ``take``."""
        fields = self.join(take(table, places, self.read).flatten(1))
        gate = torch.sigmoid(self.gate(torch.cat([query, fields], 1)))
        return self.norm(query + gate * fields), None


class FieldAttention(nn.Module):  # type: ignore[misc]
    """Multi-head cross-attention: the ID embedding is the query, each field a key and a value.

    One more key stands for "no field". With it the weights vary where an entity has one field, and
    are defined where it has none. dropout: of what the attention adds to the ID embedding.
    """

    def __init__(
        self,
        width: int,
        metadata_dim: int,
        n_fields: int,
        dim: int,
        *,
        heads: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.read = _FieldReader(width, metadata_dim)
        self.field = nn.Parameter(torch.randn(n_fields, metadata_dim) * 0.1)
        self.nothing = nn.Parameter(torch.randn(metadata_dim) * 0.1)
        self.to_query = nn.Linear(dim, dim)
        self.to_key = nn.Linear(metadata_dim, dim)
        self.to_value = nn.Linear(metadata_dim, dim)
        self.out = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, query: Any, table: Any, places: Any) -> tuple[Any, Any]:
        """Return (entities, dim), and the weights (entities, fields + 1), mean of the heads.

        query: (entities, dim); table: vectors of texts; places: (entities, fields), see ``take``.
        The last weight is that of no field. Weights of missing fields are 0; the sum is 1.
        """
        n = len(query)
        fields = take(table, places, self.read) + self.field
        fields = torch.cat([fields, self.nothing.expand(n, 1, -1)], 1)
        shape = (self.heads, query.shape[1] // self.heads)  # no -1: n may be 0
        keys = self.to_key(fields).view(n, fields.shape[1], *shape)
        values = self.to_value(fields).view_as(keys)
        queries = self.to_query(query).view(n, *shape)
        logits = torch.einsum("nhd,nfhd->nhf", queries, keys) / keys.shape[-1] ** 0.5
        usable = functional.pad(places >= 0, (0, 1), value=True).unsqueeze(1)
        weights = logits.masked_fill(~usable, -torch.inf).softmax(-1)
        found = torch.einsum("nhf,nfhd->nhd", weights, values).flatten(1)
        return self.norm(query + self.dropout(self.out(found))), weights.mean(1)
