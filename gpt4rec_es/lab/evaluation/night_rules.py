"""Current rules of nights and query filters of recipes, applied to lists of an evaluation.

The rule on recently shown items is left out, because users of a split were shown none.
"""

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.filters import frozen_filters
from gpt4rec_es.night.inputs.rules import item_rules_now, rules_manifest
from gpt4rec_es.options.list_rules import ListRules
from gpt4rec_es.options.lists import QueryFilters, SearchOptions
from gpt4rec_es.ranking.rules import ItemRules
from gpt4rec_es.retrieval.query_filters import (
    PASSED,
    QueryCheck,
    TitleTest,
    check_queries,
    filter_settings,
    title_test,
)


@dataclass(frozen=True, slots=True)
class NightRules:
    """Rules of a night on ``date``; blocks, boosts and pins in force on that date apply too.

    phrases: forbidden phrases, besides the filters of the recipe.
    """

    date: dt.date
    rules: ListRules = field(default_factory=ListRules)
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AppliedRules:
    """Rules resolved against the catalog.

    items: rules applied to all lists, or None. check: a query check of filters, with its settings.
    phrases: forbidden phrases. as_dict: the rules as plain values, stored with the evaluation.
    """

    check: Callable[[QueryFilters, SearchOptions], tuple[QueryCheck, dict[str, object]]]
    items: ItemRules | None = None
    phrases: tuple[str, ...] = ()
    as_dict: dict[str, Any] = field(default_factory=dict)

    @property
    def may_search(self) -> TitleTest:
        """The test whether a bought title may be a query."""
        return title_test(self.phrases)

    def removed(
        self, texts: Sequence[str], filters: QueryFilters, search: SearchOptions
    ) -> tuple[Collection[str], dict[str, object] | None]:
        """Return those of the distinct ``texts`` that filters remove, and the filters' settings.

        filters and search: of a recipe; the phrases of the night are added. The settings are None
        if no filter is on, or there is no text.

        Raises:
            DependencyError: the terms of the index could not be read.
        """
        filters = replace(filters, phrases=self.phrases)
        if not filters.is_on or not texts:
            return frozenset(), None
        check, settings = self.check(filters, search)
        verdicts = zip(texts, check(texts), strict=True)
        return {text for text, verdict in verdicts if verdict != PASSED}, settings


def apply_rules(
    engine: Engine, client: Elasticsearch, index_name: str, night: NightRules | None
) -> AppliedRules:
    """Return the current rules; ``night`` None: no rules. index_name: index with known terms."""

    def check(filters: QueryFilters, search: SearchOptions) -> tuple[QueryCheck, dict[str, object]]:
        with transaction(engine) as connection:
            settings = filter_settings(connection, filters, index_name, search.fields)
        frozen = frozen_filters(0, filters.phrases, settings)
        return partial(check_queries, frozen, client), settings

    if night is None:
        return AppliedRules(check)
    with transaction(engine) as connection:
        kept = replace(night.rules, shown_days=0)
        manifest = rules_manifest(connection, "nightly", night.date, kept)
        rules = None if manifest is None else item_rules_now(connection, manifest)
    as_dict = {"rules": {"date": night.date.isoformat(), **(manifest or {"block_rules": []})}}
    return AppliedRules(check, rules, night.phrases, as_dict)
