"""The mark that nats per title are compared with: a table of purchases."""

from collections.abc import Mapping, Sequence
from math import log


def popularity_nats(bought: Mapping[str, int], n_titles: int, targets: Sequence[str]) -> float:
    """Return the mean of -log p of ``targets`` by purchases, one added to each of ``n_titles``.

    bought: number of purchases by title; of others 0. There must be at least one target.
    """
    total = sum(bought.values()) + n_titles
    return -sum(log((bought.get(title, 0) + 1) / total) for title in targets) / len(targets)
