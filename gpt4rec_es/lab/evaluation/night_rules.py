"""Current rules of nights and query filters of recipes, applied to lists of an evaluation.

The rule on recently shown items is left out, because users of a split were shown none.
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.filters import frozen_filters
from gpt4rec_es.db.rows.rule_items import capped_brands, excluded_items
from gpt4rec_es.db.rows.rules import BLOCK, rules_on
from gpt4rec_es.options.lists import ListRules, QueryFilters
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
    """Rules of a night on ``date``; blocking rules in force on that date apply too.

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

    check: Callable[[QueryFilters], tuple[QueryCheck, dict[str, object]]]
    items: ItemRules | None = None
    phrases: tuple[str, ...] = ()
    as_dict: dict[str, Any] = field(default_factory=dict)

    @property
    def may_search(self) -> TitleTest:
        """The test whether a bought title may be a query."""
        return title_test(self.phrases)

    def removed(
        self, texts: Sequence[str], filters: QueryFilters
    ) -> tuple[Collection[str], dict[str, object] | None]:
        """Return those of the distinct ``texts`` that filters remove, and the filters' settings.

        filters: of a recipe; the phrases of the night are added. The settings are None if no filter
        is on, or there is no text.

        Raises:
            DependencyError: the terms of the index could not be read.
        """
        filters = replace(filters, phrases=self.phrases)
        if not filters.is_on or not texts:
            return frozenset(), None
        check, settings = self.check(filters)
        verdicts = zip(texts, check(texts), strict=True)
        return {text for text, verdict in verdicts if verdict != PASSED}, settings


def apply_rules(
    engine: Engine, client: Elasticsearch, index_name: str, night: NightRules | None
) -> AppliedRules:
    """Return the current rules; ``night`` None: no rules. index_name: index with known terms."""

    def check(filters: QueryFilters) -> tuple[QueryCheck, dict[str, object]]:
        with transaction(engine) as connection:
            settings = filter_settings(connection, filters, index_name)
        frozen = frozen_filters(0, filters.phrases, settings)
        return partial(check_queries, frozen, client), settings

    if night is None:
        return AppliedRules(check)
    with transaction(engine) as connection:
        # Promotions are left out: they are not made to hit what users buy.
        numbers = [r.rule_no for r in rules_on(connection, night.date) if r.action == BLOCK]
        wanted = {name: it for name, it in night.rules.as_dict().items() if name != "shown_days"}
        cap = wanted.get("max_per_brand")
        rules = None
        if numbers or wanted:
            brands: Mapping[int, str] = capped_brands(connection, cap) if cap else {}
            rules = ItemRules(excluded_items(connection, numbers, wanted), brands, cap)
    as_dict = {"rules": {"date": night.date.isoformat(), "block_rules": numbers, **wanted}}
    return AppliedRules(check, rules, night.phrases, as_dict)
