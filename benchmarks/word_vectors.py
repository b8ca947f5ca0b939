"""A bag of words in the place of a GPT-2, to show what a language model adds to words.

Each word has one random vector, the same in all texts, and a text the mean of those of its words.
The width is that of the GPT-2 it replaces, so the network around it is the same.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import nn


class WordEncoder(nn.Module):  # type: ignore[misc]  # torch leaves it untyped
    """Has what ``TextTable`` needs of an encoder; nothing of it learns."""

    adapters: tuple[Any, ...] = ()
    is_frozen = True
    device = torch.device("cpu")

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def freeze(self) -> None:
        """Do nothing: nothing learns."""

    def content_hash(self, *, recompute: bool = False) -> str:  # noqa: ARG002 - of all encoders
        """Return what decides the vectors besides the text."""
        return f"words {self.width}"

    def encode_text(self, texts: Sequence[str]) -> Any:
        """Return (texts, width); the name of the field in front of a value is no word of it."""
        rows = [
            np.mean(
                [word_vector(word, self.width) for word in words_of(text)]
                or [np.zeros(self.width, np.float32)],
                axis=0,
            )
            for text in texts
        ]
        return torch.from_numpy(np.stack(rows))


def words_of(text: str) -> list[str]:
    """Return the words of "field: value", without those of the field."""
    return re.findall(r"\w+", text.partition(": ")[2].lower())


@lru_cache(maxsize=100_000)
def word_vector(word: str, width: int) -> Any:
    """Return the vector of a word, which follows from the word alone."""
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
    return np.random.default_rng(seed).standard_normal(width).astype(np.float32)
