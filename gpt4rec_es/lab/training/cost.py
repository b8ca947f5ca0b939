"""What a training and its lists cost, for cards and evaluations: time, memory, threads."""

import resource
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import torch

# What a card says of the cost of its training.
COST = ("seconds", "peak_memory_mb", "threads")
# ru_maxrss is in kB, on macOS in bytes.
_PER_MB = 1_000_000 if sys.platform == "darwin" else 1_000


def training_cost(epochs: Iterable[float]) -> dict[str, Any]:
    """Return seconds, peak memory in MB, and CPU threads, for a card.

    epochs: seconds of each, also of those before a kill. The memory is that of this process.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": round(sum(epochs), 1),
        "peak_memory_mb": round(peak / _PER_MB),
        "threads": torch.get_num_threads(),
    }


def stored_cost(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cost in a card; nothing if it lacks a number, as in older versions."""
    found = {key: card.get(key) for key in COST}
    return found if all(isinstance(value, int | float) for value in found.values()) else {}


def serving_cost(seconds: float, users: int) -> dict[str, Any]:
    """Return seconds per 1,000 users, and CPU threads, of lists for ``users``."""
    return {
        "seconds_per_1000_users": round(1000 * seconds / users, 3),
        "threads": torch.get_num_threads(),
    }
