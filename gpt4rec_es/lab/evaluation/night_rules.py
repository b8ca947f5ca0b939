"""Current rules and query filters of nights, applied to lists of an evaluation.

The rule on recently shown items is left out, because users of a split were shown none.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.filters import frozen_filters
from gpt4rec_es.db.rows.rule_items import capped_brands, excluded_items
from gpt4rec_es.db.rows.rules import rules_on
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
    """Options of a night on ``date``; blocking rules in force on that date apply too."""

    date: dt.date
    rules: ListRules = field(default_factory=ListRules)
    filters: QueryFilters = field(default_factory=QueryFilters)


@dataclass(frozen=True, slots=True)
class AppliedRules:
    """Rules resolved against the catalog.

    items: rules applied to all lists, or None; check_queries: filters applied to queries. as_dict:
    the rules as plain values, stored with the evaluation.
    """

    items: ItemRules | None = None
    check_queries: QueryCheck | None = None
    may_search: TitleTest = bool
    as_dict: dict[str, Any] = field(default_factory=dict)

    def removed(self, texts: Sequence[str]) -> Collection[str]:
        """Return those of the distinct ``texts`` that filters remove.

        Raises:
            DependencyError: the terms of the index could not be read.
        """
        if self.check_queries is None:
            return frozenset()
        verdicts = self.check_queries(texts)
        return {text for text, verdict in zip(texts, verdicts, strict=True) if verdict != PASSED}


def apply_rules(
    engine: Engine, client: Elasticsearch, index_name: str, night: NightRules | None
) -> AppliedRules:
    """Return the current rules; ``night`` None: no rules. index_name: index with known terms."""
    if night is None:
        return AppliedRules()
    with transaction(engine) as connection:
        numbers = [rule.rule_no for rule in rules_on(connection, night.date)]
        wanted = {name: it for name, it in night.rules.as_dict().items() if name != "shown_days"}
        cap = wanted.get("max_per_brand")
        rules = None
        if numbers or wanted:
            brands: Mapping[int, str] = capped_brands(connection, cap) if cap else {}
            rules = ItemRules(excluded_items(connection, numbers, wanted), brands, cap)
        settings = filter_settings(connection, night.filters, index_name)
    filters = frozen_filters(0, night.filters.phrases, settings)
    return AppliedRules(
        rules,
        partial(check_queries, filters, client) if night.filters.is_on else None,
        title_test(night.filters.phrases),
        {
            "rules": {"date": night.date.isoformat(), "block_rules": numbers, **wanted},
            "filters": settings if night.filters.is_on else None,
        },
    )
