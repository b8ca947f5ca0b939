"""Arrays of a tuning: on disk instead of in memory, and lists of different lengths as one."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gpt4rec_es.ranking.values import Numbers


def new_array(folder: Path | None, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros in a file of ``folder``; None: in memory.

    The file has no name: it is gone with the process, however that ends. Pages that are never
    written take no room.
    """
    if folder is None or 0 in shape:
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, dtype, "w+", shape=shape)


@dataclass(frozen=True, slots=True)
class Ragged:
    """Numbers of all users, user after user; starts: index of the first of each, and the total."""

    values: NDArray[Any]
    starts: Numbers

    @classmethod
    def of(cls, lists: Sequence[Sequence[float]], dtype: DTypeLike = np.int64) -> "Ragged":
        """Return these lists, one per user."""
        starts = np.cumsum([0, *map(len, lists)], dtype=np.int64)
        flat = (value for own in lists for value in own)
        return cls(np.fromiter(flat, dtype, int(starts[-1])), starts)

    def counts(self) -> Numbers:
        """Return the number of values of each user."""
        return np.diff(self.starts)

    def chosen(self, users: Numbers) -> "Ragged":
        """Return the lists of these users, in their order."""
        counts = self.counts()[users]
        starts = np.concatenate(([0], np.cumsum(counts)))
        at = np.arange(starts[-1]) + np.repeat(self.starts[users] - starts[:-1], counts)
        return Ragged(self.values[at], starts)

    def first(
        self, users: range, most: int | None = None
    ) -> tuple[Numbers, Numbers, NDArray[Any], Numbers]:
        """Return the first ``most`` values of each user (None: all).

        As the user's index in ``users``, the place from 0, and the value, of each, and the number
        of values of each user.
        """
        begins = self.starts[users.start : users.stop]
        counts = self.starts[users.start + 1 : users.stop + 1] - begins
        if most is not None:
            counts = np.minimum(counts, most)
        of = np.repeat(np.arange(len(users)), counts)
        places = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
        return of, places, self.values[begins[of] + places], counts


@dataclass(frozen=True, slots=True)
class Shoppers:
    """What is known of some users, in the same order.

    newest: purchases, newest first. bought: all bought items. queries: rows of their queries among
    the hits, best first, -1 for a query that filters remove. likelihoods: of all these queries.
    """

    newest: Ragged
    bought: Ragged
    queries: Ragged
    likelihoods: Ragged

    def chosen(self, users: Numbers) -> "Shoppers":
        """Return these users."""
        return Shoppers(*(getattr(self, name).chosen(users) for name in self.__slots__))

    def __len__(self) -> int:
        """Return the number of users."""
        return len(self.newest.starts) - 1
