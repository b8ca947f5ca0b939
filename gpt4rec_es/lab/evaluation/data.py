"""Input of an evaluation: the catalog with the live build's terms, and the evaluation users."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.items import load_items
from gpt4rec_es.elastic.queries import search_text
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.build import index_of_build, server_analyzer
from gpt4rec_es.lab.bm25.index import MemoryIndex
from gpt4rec_es.lab.bm25.retriever import Analyze, KnownTokens, MemoryGridSearch
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.metrics.labels import CategoryLabels, LabelSets, category_labels, label_sets
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.records import Bm25


@dataclass(frozen=True)
class EvaluationCatalog:
    """The items of an evaluation; numbers are below ``n_items``.

    labels: by name (category, brand), for diversity and coverage. active: items that may be
    recommended. analyze: the index's search analyzer.
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
        """Return the query tokens of ``texts``; each text is analyzed once."""
        return self._known([search_text(text) for text in texts])

    def search(self, options: SearchOptions = ANY_TERM) -> MemoryGridSearch:
        """Return a search for texts with ``options``."""
        return MemoryGridSearch(self.index, self._known, options)

    def check(self, ks: Sequence[int]) -> None:
        """Check the list lengths ``ks``.

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


# The seed of samples is fixed, so that evaluations of samples can be compared.
_SAMPLE_SEED = 1


def read_catalog(
    engine: Engine,
    client: Elasticsearch,
    build: Build,
    bm25: Bm25 | None,
    labels: CategoryLabels,
    progress: Progress = no_progress,
) -> EvaluationCatalog:
    """Return the current catalog, and the titles of ``build`` as analyzed by its index.

    bm25: replaces the build's values. progress counts titles.

    Raises:
        UsageError: the index is gone, or its analyzer has synonyms.
        DependencyError: a server cannot be reached.
    """
    index = index_of_build(client, build.index_name, total=build.document_count, progress=progress)
    with transaction(engine) as connection:
        items = load_items(connection)
    n_items = 1 + max(item.item_no for item in items)
    by_name: dict[str, dict[int, Collection[str]]] = {
        "category": {item.item_no: category_labels(item.category, labels) for item in items},
        "brand": {item.item_no: {item.brand} for item in items if item.brand},
    }
    sets: dict[str, LabelSets] = {
        name: label_sets(found, n_items) for name, found in by_name.items() if any(found.values())
    }
    return EvaluationCatalog(
        item_ids={item.item_no: item.item_id for item in items},
        titles={item.item_no: item.title for item in items if item.title},
        labels=sets,
        n_items=n_items,
        active=frozenset(item.item_no for item in items if item.is_findable),
        index=index,
        bm25=bm25 or build.bm25,
        analyze=server_analyzer(client, build.index_name),
    )


def choose_eval_users(eval_users: tuple[EvalUser, ...], sample: int | None) -> tuple[EvalUser, ...]:
    """Return a fixed sample of ``sample`` users, in their order; None: all.

    Raises:
        UsageError: there are none.
    """
    if not eval_users:
        raise UsageError("There is nothing to measure: this part of the split has no eval_users.")
    if sample is None or sample >= len(eval_users):
        return eval_users
    chosen = np.random.default_rng(_SAMPLE_SEED).permutation(len(eval_users))[:sample]
    return tuple(eval_users[place] for place in np.sort(chosen))
