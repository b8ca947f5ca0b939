"""What recommenders and metrics know of the items: titles, labels, and an index to search.

Read once for many methods; nothing here knows users.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gpt4rec_es.elastic.queries import search_text
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.index import MemoryIndex
from gpt4rec_es.lab.bm25.retriever import Analyze, KnownTokens, MemoryGridSearch
from gpt4rec_es.metrics.labels import LabelSets
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.records import Bm25


@dataclass(frozen=True)
class EvaluationCatalog:
    """The items of an evaluation; numbers are below ``n_items``.

    labels: by name (category, brand), for diversity and coverage. active: items that may be
    recommended. analyze: turns texts into tokens as the index's server does.
    """

    item_ids: Mapping[int, str]
    titles: Mapping[int, str]
    labels: Mapping[str, LabelSets]
    n_items: int
    active: frozenset[int]
    index: MemoryIndex
    bm25: Bm25
    analyze: Analyze

    @cached_property
    def _known(self) -> KnownTokens:
        return KnownTokens(self.analyze)

    def tokens(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the tokens that are searched for when ``texts`` are asked; each asked once."""
        return self._known([search_text(text) for text in texts])

    def search(self, options: SearchOptions = ANY_TERM) -> MemoryGridSearch:
        """Return how texts are searched for by ``options``."""
        return MemoryGridSearch(self.index, self._known, options)

    def check(self, ks: Sequence[int]) -> None:
        """Pass if lists of ``ks`` can be asked for.

        Raises:
            UsageError: a list is shorter than 1, or longer than the catalog.
        """
        if not ks or min(ks) < 1:
            raise UsageError("A list has at least 1 item.", "Give --k as 5,10,20,40.")
        if max(ks) > len(self.active):
            raise UsageError(
                f"k is {max(ks)}, but only {len(self.active)} items can be recommended.",
                "Give smaller --k.",
            )
