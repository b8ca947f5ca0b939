"""The value of each feature of a learned fusion, from the values of the sources. Pure.

A night computes them for one user, a tuning for many users at once.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from gpt4rec_es.options.lists import (
    HISTORY_TITLES,
    QUERIES,
    QUERY_VECTORS,
    SEQUENCE,
    TITLE_VECTORS,
)
from gpt4rec_es.ranking.values import Values


class FoundValues(Protocol):
    """Values of candidates, zero where a source did not find an item: of one user, or of many."""

    @property
    def buyers(self) -> Values:
        """The number of buyers."""

    @property
    def rerank(self) -> Values:
        """The score of a re-ranker, minus the user's mean."""

    def of(self, source: str, name: str) -> Values:
        """Return a value of a source: see ``SourceValues``, and ``sequence_values``."""

    def log(self, name: str) -> Values:
        """Return the logarithm of 1 + 1000 x, x being a co-purchase value."""

    def share(self) -> Values:
        """Return the recent similarity as a fraction of the highest of the user's candidates."""


def _of(source: str, name: str) -> Callable[[FoundValues], Values]:
    return lambda found: found.of(source, name)


# The value of each feature of ``options.features.FEATURES``, in its order.
FEATURE_VALUES: dict[str, Callable[[FoundValues], Values]] = {
    "co_newest": lambda f: f.log("newest"),
    "co_recent": lambda f: f.log("recent"),
    "co_mean": lambda f: f.log("mean"),
    "co_best": lambda f: f.log("best"),
    "co_share": lambda f: f.share(),
    "title_newest": _of(HISTORY_TITLES, "newest"),
    "title_recent": _of(HISTORY_TITLES, "recent"),
    "title_mean": _of(HISTORY_TITLES, "mean"),
    "title_best": _of(HISTORY_TITLES, "best"),
    "co_x_title": lambda f: f.log("recent") * f.of(HISTORY_TITLES, "recent"),
    "popularity": lambda f: np.log1p(f.buyers),
    "query_newest": _of(QUERIES, "newest"),
    "query_recent": _of(QUERIES, "recent"),
    "query_best": _of(QUERIES, "best"),
    "query_likely": _of(QUERIES, "likely"),
    "query_count": lambda f: np.log1p(f.of(QUERIES, "count")),
    "rerank": lambda f: f.rerank,
    "seq_score": _of(SEQUENCE, "score"),
    "seq_share": _of(SEQUENCE, "share"),
    "seq_rank": _of(SEQUENCE, "rank"),
    "title_near_newest": _of(TITLE_VECTORS, "newest"),
    "title_near_recent": _of(TITLE_VECTORS, "recent"),
    "title_near_mean": _of(TITLE_VECTORS, "mean"),
    "title_near_best": _of(TITLE_VECTORS, "best"),
    "co_x_title_near": lambda f: f.log("recent") * f.of(TITLE_VECTORS, "recent"),
    "query_near_newest": _of(QUERY_VECTORS, "newest"),
    "query_near_recent": _of(QUERY_VECTORS, "recent"),
    "query_near_best": _of(QUERY_VECTORS, "best"),
}
