"""A reader of histories as sequences of vectors, one per bought title, for a decoder behind it.

The vector of a title is the weighted mean of its tokens' vectors plus, for titles of the training,
one of its own; so an unknown title is read by its text. A history is read causally, as a SASRec
reads items (sequence_network.py), after a start vector, so that an empty one has a state, too.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from gpt4rec_es.encoders.reader_shape import ReaderShape
from gpt4rec_es.encoders.sequence_network import SequenceNetwork, padded
from gpt4rec_es.prompts.keys import hash128

# Tokens of a title that its vector depends on: as many as a display title has, but for odd scripts.
MOST_TOKENS = 64


class HistoryReader(SequenceNetwork):
    """The network: ``items`` are the titles' own vectors, with one of zeros for unknown titles.

    keys: (titles, 16) uint8, the 128-bit hash of each title. token_weights: (vocabulary,), the
    weight of each token in a title's vector.
    """

    def __init__(self, shape: ReaderShape, vocab_size: int, width: int, dropout: float) -> None:
        """width: of the decoder."""
        super().__init__()
        self.shape = shape
        self.add_layers(
            shape.titles,
            dim=shape.dim,
            length=shape.length + 1,  # and the start
            blocks=shape.blocks,
            heads=shape.heads,
            dropout=dropout,
        )
        nn.init.zeros_(self.items.weight)  # at first a title is its text
        self.tokens = nn.Embedding(vocab_size, shape.dim)
        nn.init.normal_(self.tokens.weight, std=shape.dim**-0.5)
        self.start = nn.Parameter(torch.randn(shape.dim) * shape.dim**-0.5)
        self.prefix = nn.Linear(shape.dim, shape.prefix * width)
        self.register_buffer("keys", torch.zeros(shape.titles, 16, dtype=torch.uint8))
        self.register_buffer("token_weights", torch.ones(vocab_size))

    def title_vectors(self, numbers: Any, tokens: Any) -> Any:
        """Return (titles, dim); numbers: (titles,), ``shape.titles`` for unknown ones.

        tokens: (titles, longest), padded with -1.
        """
        real = tokens >= 0
        weights = self.token_weights[tokens.clamp(min=0)] * real
        # By the root of the squares a title of many tokens is as long a vector as one of few.
        weights = weights / weights.square().sum(1, keepdim=True).sqrt().clamp(min=1e-6)
        text = functional.embedding_bag(
            tokens.clamp(min=0), self.tokens.weight, per_sample_weights=weights, mode="sum"
        )
        return text + self.items(numbers)

    def states(self, vectors: Any) -> Any:
        """Return (rows, 1 + places, dim) from vectors of titles (rows, places, dim), padded behind.

        The state at place i is that after i titles.
        """
        start = self.start.expand(len(vectors), 1, -1)
        return self.read_vectors(torch.cat((start, vectors), 1))

    def last_states(self, vectors: Any, histories: Sequence[Sequence[int]]) -> Any:
        """Return the state after each history, (histories, dim); an empty one has a state, too.

        histories: places in ``vectors`` (titles, dim), oldest first; the newest ones are read.
        """
        device = vectors.device
        newest = [history[-self.shape.length :] for history in histories]
        places = padded(newest, 0).to(device) if any(newest) else None
        rows = (
            vectors[places]
            if places is not None
            else vectors.new_zeros(len(newest), 0, self.shape.dim)
        )
        last = torch.tensor([len(history) for history in newest], device=device)
        return self.states(rows)[torch.arange(len(newest), device=device), last]

    def numbers(self) -> dict[bytes, int]:
        """Return the number of each title with a vector of its own, by its key."""
        return {bytes(key): number for number, key in enumerate(self.keys.cpu().numpy())}

    def prefixes(self, states: Any) -> Any:
        """Return (states, prefix, width): what the decoder reads for each state (states, dim)."""
        return self.prefix(states).view(len(states), self.shape.prefix, -1)


def divide_scores(reader: HistoryReader, temperature: float) -> None:
    """Divide the scores of titles by ``temperature``; a decoder reads states as before."""
    with torch.no_grad():
        for weight in (reader.norm.weight, reader.norm.bias):
            weight.div_(temperature)
        reader.prefix.weight.mul_(temperature)


def padded_tokens(titles: Sequence[Sequence[int]]) -> Any:
    """Return the tokens of titles as (titles, longest), padded with -1, for ``title_vectors``."""
    width = max((min(len(ids), MOST_TOKENS) for ids in titles), default=0)
    table = np.full((len(titles), max(width, 1)), -1, np.int64)
    for row, ids in enumerate(titles):
        table[row, : len(ids)] = ids[:MOST_TOKENS]
    return torch.from_numpy(table)


def title_keys(titles: Sequence[str]) -> Any:
    """Return ``HistoryReader.keys`` of display titles."""
    joined = b"".join(map(hash128, titles))
    return torch.from_numpy(np.frombuffer(joined, np.uint8).reshape(-1, 16).copy())


def token_rarities(titles: Sequence[Sequence[int]], vocab_size: int) -> Any:
    """Return the weight of each token in a title's vector: the logarithm of its rarity."""
    counts = Counter(token for ids in titles for token in set(ids))
    found = np.full(vocab_size, math.log(len(titles) + 1.0))
    for token, count in counts.items():
        found[token] = math.log((len(titles) + 1) / count)
    return torch.from_numpy(found)


class PrefixEmbedding(nn.Module):  # type: ignore[misc]  # torch leaves it untyped
    """Token embeddings of a decoder that also know prefixes, as ids behind the vocabulary.

    So a decoder reads a prefix where it reads a token, and what drives it (beam search, priors,
    likelihoods) needs to know nothing of it.
    """

    def __init__(self, tokens: nn.Embedding) -> None:
        """Set the embeddings of tokens, which the output layer may share."""
        super().__init__()
        self.weight = tokens.weight
        self.vectors: Any = None  # (prefix ids, width)

    def forward(self, ids: Any) -> Any:
        """Return (..., width) of ids: tokens, or vocabulary + a row of ``vectors``."""
        size = len(self.weight)
        found = functional.embedding(ids.clamp(max=size - 1), self.weight)
        is_prefix = ids >= size
        if self.vectors is None or not bool(is_prefix.any()):
            return found
        own = functional.embedding((ids - size).clamp(min=0), self.vectors.to(found.dtype))
        return torch.where(is_prefix[..., None], own, found)
