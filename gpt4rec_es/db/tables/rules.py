"""Tables of the rules that block items, and of the rules that each run froze."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from gpt4rec_es.db.tables.base import at, metadata, now

block_rules = Table(
    "block_rules",
    metadata,
    Column("rule_no", Integer, Identity(), primary_key=True, comment="number of the rule"),
    Column("kind", Text, nullable=False, comment="what the rule is about: item, brand or category"),
    Column(
        "value",
        Text,
        nullable=False,
        comment=(
            "item id, brand, or category path (with all paths below it); only ids are "
            "case-sensitive"
        ),
    ),
    Column("reason", Text, nullable=False, comment="reason for the rule, given by the operator"),
    Column(
        "valid_from", Date, comment="first run date that the rule applies to; NULL: no first date"
    ),
    Column(
        "valid_until", Date, comment="last run date that the rule applies to; NULL: no last date"
    ),
    Column("actor", Text, nullable=False, comment="operator that added the rule (login name)"),
    now("created_at", "time the rule was added"),
    at("removed_at", "time the rule was removed; NULL: it was not"),
    Column(
        "action",
        Text,
        nullable=False,
        server_default="block",
        comment="what the rule does with items: block, boost or pin",
    ),
    Column(
        "places",
        SmallInteger,
        comment=(
            "boost: number of places that an item moves up; pin: most items of the rule per list; "
            "NULL: block"
        ),
    ),
    CheckConstraint("kind IN ('item', 'brand', 'category')", name="kind"),
    CheckConstraint("action IN ('block', 'boost', 'pin')", name="action"),
    CheckConstraint("(action = 'block') = (places IS NULL)", name="places"),
    comment="One row per rule that blocks, boosts or pins items; removed rules stay as rows.",
)

run_rules = Table(
    "run_rules",
    metadata,
    Column(
        "run_no",
        ForeignKey("runs.run_no", ondelete="CASCADE"),
        primary_key=True,
        comment="run that applies the rule",
    ),
    Column(
        "rule",
        Text,
        primary_key=True,
        comment=(
            "name of the rule: 'rule' and its number, min_price, max_price, categories, shown or "
            "max_per_brand"
        ),
    ),
    Column("kind", Text, nullable=False, comment="item, brand, category or filter"),
    Column(
        "value",
        Text,
        nullable=False,
        comment="item id, brand, category path or limit that the rule applies to",
    ),
    Column("reason", Text, comment="reason for the rule; NULL: it is a setting of the run"),
    Column(
        "n_items",
        Integer,
        nullable=False,
        comment="number of items that the rule removes from all lists, boosts or pins",
    ),
    Column(
        "item_nos",
        ARRAY(Integer),
        comment=(
            "items that the rule removes from all lists, boosts or pins; NULL: they depend on "
            "user or list, or the run was pruned"
        ),
    ),
    Column(
        "action",
        Text,
        nullable=False,
        server_default="block",
        comment="what the rule does with items: block, boost or pin",
    ),
    Column(
        "places",
        SmallInteger,
        comment=(
            "boost: number of places that an item moves up; pin: most items of the rule per list; "
            "NULL: block"
        ),
    ),
    comment="One row per run and rule, frozen at planning.",
)

run_brands = Table(
    "run_brands",
    metadata,
    Column(
        "run_no",
        ForeignKey("runs.run_no", ondelete="CASCADE"),
        primary_key=True,
        comment="run that the row was frozen for",
    ),
    Column("brand", Text, primary_key=True, comment="brand in lower case"),
    Column("item_nos", ARRAY(Integer), nullable=False, comment="items of the brand"),
    comment=(
        "One row per run and brand with more items than a list may hold of one brand, "
        "frozen at planning."
    ),
)


query_filters = Table(
    "query_filters",
    metadata,
    Column("filters_no", Integer, Identity(), primary_key=True, comment="number of the filters"),
    Column(
        "filters_hash",
        LargeBinary,
        nullable=False,
        unique=True,
        comment="128-bit hash of the filter settings",
    ),
    Column(
        "settings",
        JSONB,
        nullable=False,
        comment="JSON: filter settings, with the hash of the phrases",
    ),
    Column("phrases", ARRAY(Text), nullable=False, comment="forbidden phrases; empty array: none"),
    now("created_at", "time the first run with these filters was planned"),
    comment="One row per distinct set of query filters.",
)

query_verdicts = Table(
    "query_verdicts",
    metadata,
    Column(
        "filters_no",
        ForeignKey("query_filters.filters_no"),
        primary_key=True,
        comment="filters that were applied",
    ),
    Column(
        "query_no",
        ForeignKey("queries.query_no", ondelete="CASCADE"),
        primary_key=True,
        comment="query that was checked",
    ),
    Column(
        "reason",
        Text,
        comment=(
            "reason for removing the query: repetition, phrase, script or unknown; NULL: it passed"
        ),
    ),
    Column(
        "detail",
        Text,
        comment=(
            "the phrase, the scripts or the number of unknown terms found; NULL: the query passed"
        ),
    ),
    Index("ix_query_verdicts_query_no", "query_no"),
    CheckConstraint("reason IN ('repetition', 'phrase', 'script', 'unknown')", name="reason"),
    comment="One row per set of filters and query that they were applied to.",
)
