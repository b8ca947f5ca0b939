"""The user's own newest titles as the queries: generated queries must beat these first."""

from collections.abc import Mapping, Sequence

from gpt4rec_es.baselines.scored import check_k
from gpt4rec_es.errors import UsageError
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.retrieval.lists import merged_lists


class LastTitles:
    """Searches for the newest titles and merges as generated queries are merged, newest first."""

    def __init__(self, retriever: Retriever, titles: Mapping[int, str], count: int) -> None:
        """Take the ``titles`` by item number, and how many of the newest become queries.

        Raises:
            UsageError: ``count`` is below 1.
        """
        if count < 1:
            raise UsageError(f"The number of titles is {count}.", "Use at least the last title.")
        self._retriever, self._titles, self._count = retriever, titles, count

    def recommend(self, histories: Sequence[Sequence[int]], k: int) -> list[list[int]]:
        """Return ``k`` items per history: k/m from each of its m newest titles, then backfill.

        Raises:
            UsageError: ``k`` is below 1.
            DependencyError: a search could not be answered.
        """
        check_k(k)
        queries = [newest_titles(history, self._titles, self._count) for history in histories]
        return merged_lists(self._retriever, queries, histories, k)


def newest_titles(history: Sequence[int], titles: Mapping[int, str], count: int) -> list[str]:
    """Return at most ``count`` of the newest titles, newest first, each once."""
    found = [titles[item] for item in reversed(history) if titles.get(item)]
    return list(dict.fromkeys(found))[:count]
