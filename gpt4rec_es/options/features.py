"""Features of a learned fusion: names, meanings, and the sources they belong to.

``ranking.features`` computes them. A recipe has a coefficient for each feature that it uses.
"""

from collections.abc import Collection
from typing import NamedTuple

from gpt4rec_es.errors import UsageError

SOURCES = (
    "queries",
    "co_purchase",
    "history_titles",
    "sequence",
    "query_vectors",
    "title_vectors",
)
QUERIES, CO_PURCHASE, HISTORY_TITLES, SEQUENCE, QUERY_VECTORS, TITLE_VECTORS = SOURCES
# Sources that write queries, that search for titles of purchases, and that search by vectors.
OF_QUERIES = frozenset({QUERIES, QUERY_VECTORS})
OF_TITLES = frozenset({HISTORY_TITLES, TITLE_VECTORS})
OF_VECTORS = frozenset({QUERY_VECTORS, TITLE_VECTORS})
# Larger coefficients and weights make scores that cannot be stored.
LARGEST = 1_000_000
# What the popularity of an item, and a re-ranker, add to its score beside the sources.
POPULARITY, RERANKER = "popularity", "reranker"


class Feature(NamedTuple):
    """A feature: the sources that share its contribution equally, and its meaning."""

    sources: tuple[str, ...]
    meaning: str


def _co(meaning: str) -> Feature:
    return Feature((CO_PURCHASE,), meaning)


def _titles(meaning: str) -> Feature:
    return Feature((HISTORY_TITLES,), meaning)


def _both(meaning: str) -> Feature:
    return Feature((CO_PURCHASE, HISTORY_TITLES), meaning)


def _queries(meaning: str) -> Feature:
    return Feature((QUERIES,), meaning)


def _sequence(meaning: str) -> Feature:
    return Feature((SEQUENCE,), meaning)


def _near_titles(meaning: str) -> Feature:
    return Feature((TITLE_VECTORS,), meaning)


def _near_queries(meaning: str) -> Feature:
    return Feature((QUERY_VECTORS,), meaning)


# In the order in which their contributions are added.
FEATURES: dict[str, Feature] = {
    "co_newest": _co("log(1 + 1000 x) of the similarity to the newest purchase"),
    "co_recent": _co("log(1 + 1000 x) of the mean similarity, weighted by history_decay"),
    "co_mean": _co("log(1 + 1000 x) of the mean similarity to all purchases"),
    "co_best": _co("log(1 + 1000 x) of the highest similarity to one purchase"),
    "co_share": _co("weighted mean similarity as a fraction of the user's highest"),
    "title_newest": _titles("fraction of the best score, by the newest title"),
    "title_recent": _titles("mean fraction of the best score, weighted by history_decay"),
    "title_mean": _titles("mean fraction of the best score over all titles"),
    "title_best": _titles("highest fraction of the best score of one title"),
    "co_x_title": _both("co_recent x title_recent"),
    "popularity": Feature((POPULARITY,), "log(1 + buyers of the item)"),
    "query_newest": _queries("fraction of the best score, by the first query"),
    "query_recent": _queries("mean fraction of the best score, weighted by query_decay"),
    "query_best": _queries("highest fraction of the best score of one query"),
    "query_likely": _queries(
        "highest fraction of the best score times exp(mean log-probability) of the query"
    ),
    "query_count": _queries("log(1 + n) of the number of queries that found it"),
    "rerank": Feature(
        (RERANKER,), "score of the re-ranker, minus its mean over the user's candidates"
    ),
    "seq_score": _sequence("score of the re-ranker, minus that of the last item found"),
    "seq_share": _sequence("exp of the score of the re-ranker, minus that of the first item found"),
    "seq_rank": _sequence("1 / log2(1 + rank) among the items found"),
    "title_near_newest": _near_titles("nearness of the newest title"),
    "title_near_recent": _near_titles("mean nearness, weighted by history_decay"),
    "title_near_mean": _near_titles("mean nearness of all titles"),
    "title_near_best": _near_titles("highest nearness of one title"),
    "co_x_title_near": Feature((CO_PURCHASE, TITLE_VECTORS), "co_recent x title_near_recent"),
    "query_near_newest": _near_queries("nearness of the first query"),
    "query_near_recent": _near_queries("mean nearness, weighted by query_decay"),
    "query_near_best": _near_queries("highest nearness of one query"),
}
# Values of a user that features are multiplied with: how much is known, and how sure it is. They
# make coefficients of one shop usable in another (docs/quality.md).
CONTEXTS: dict[str, str] = {
    "history": "log(1 + n) of the number of bought items, at most 200",
    "similarity": "highest co_recent of the user's candidates",
    "buyers": "log(1 + buyers of the newest purchase)",
}


def coefficient_names() -> list[str]:
    """Return the names of all coefficients: of each feature alone, then with each context."""
    return [*FEATURES, *(f"{name}*{context}" for context in CONTEXTS for name in FEATURES)]


def check_coefficients(coefficients: Collection[tuple[str, float]], used: Collection[str]) -> None:
    """Check (name, value) of coefficients of a fusion of the sources ``used``.

    Raises:
        UsageError: a name is unknown or appears twice, a value is too large, or none counts.
    """
    known, seen = set(coefficient_names()), set[str]()
    for name, value in coefficients:
        if name not in known:
            raise UsageError(
                f"There is no feature {name!r}.",
                f"There are {', '.join(FEATURES)}, each alone or times one of "
                f"{', '.join(CONTEXTS)}, as in co_recent*history.",
            )
        if name in seen:
            raise UsageError(f"The feature {name!r} has two coefficients.", "Name each once.")
        if not -LARGEST <= value <= LARGEST:  # NaN is refused, too
            raise UsageError(
                f"The coefficient of {name} is {value}.", f"It is between -{LARGEST} and {LARGEST}."
            )
        seen.add(name)
    counted = {POPULARITY, RERANKER, *used}
    if seen and not any(
        value and counted.intersection(FEATURES[name.partition("*")[0]].sources)
        for name, value in coefficients
    ):
        raise UsageError(
            "No coefficient of a source that is used differs from 0.",
            f"The sources are {', '.join(used)}: give one of their features a coefficient.",
        )


def uses_reranker(coefficients: Collection[tuple[str, float]]) -> bool:
    """Return whether a score of a re-ranker counts."""
    return any(
        value and {RERANKER, SEQUENCE}.intersection(FEATURES[name.partition("*")[0]].sources)
        for name, value in coefficients
    )
