"""Tables of the rules that keep items out of lists, and of what each run made of them."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from gpt4rec_es.db.tables.base import at, metadata, now

block_rules = Table(
    "block_rules",
    metadata,
    Column("rule_no", Integer, Identity(), primary_key=True, comment="number of the rule"),
    Column("kind", Text, nullable=False, comment="item, brand or category"),
    Column(
        "value",
        Text,
        nullable=False,
        comment="item id, brand, or category path (with all below it); case matters for ids only",
    ),
    Column("reason", Text, nullable=False, comment="why it is blocked"),
    Column("valid_from", Date, comment="first date of a run that keeps it; NULL: from the start"),
    Column("valid_until", Date, comment="last such date; NULL: for good"),
    Column("actor", Text, nullable=False, comment="who added it"),
    now("created_at", "time it was added"),
    at("removed_at", "time it was taken back; NULL: it was not"),
    CheckConstraint("kind IN ('item', 'brand', 'category')", name="kind"),
    comment="One row per rule that blocks items; taken back, never deleted.",
)

run_rules = Table(
    "run_rules",
    metadata,
    Column(
        "run_no", ForeignKey("runs.run_no", ondelete="CASCADE"), primary_key=True, comment="the run"
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
    Column("value", Text, nullable=False, comment="what it is about: an id, a brand, a limit"),
    Column("reason", Text, comment="why; NULL: a setting of the run"),
    Column("n_items", Integer, nullable=False, comment="items that it keeps out of all lists"),
    Column(
        "item_nos",
        ARRAY(Integer),
        comment="those items; NULL: it depends on the user or the list, or the run was pruned",
    ),
    comment="One row per run and rule, frozen at planning.",
)

run_brands = Table(
    "run_brands",
    metadata,
    Column(
        "run_no", ForeignKey("runs.run_no", ondelete="CASCADE"), primary_key=True, comment="the run"
    ),
    Column("brand", Text, primary_key=True, comment="brand in lower case"),
    Column("item_nos", ARRAY(Integer), nullable=False, comment="its items"),
    comment=(
        "One row per run and brand with more items than its lists may have of one brand, frozen at "
        "planning."
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
        comment="128-bit hash of the settings",
    ),
    Column(
        "settings",
        JSONB,
        nullable=False,
        comment="what is filtered, with the hash of the phrases",
    ),
    Column("phrases", ARRAY(Text), nullable=False, comment="forbidden phrases; empty: none"),
    now("created_at", "time of the first run that had them"),
    comment="One row per distinct set of query filters.",
)

query_verdicts = Table(
    "query_verdicts",
    metadata,
    Column(
        "filters_no", ForeignKey("query_filters.filters_no"), primary_key=True, comment="filters"
    ),
    Column(
        "query_no",
        ForeignKey("queries.query_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the query",
    ),
    Column("reason", Text, comment="phrase, script or unknown; NULL: it passed"),
    Column("detail", Text, comment="what was found in it; NULL: it passed"),
    Index("ix_query_verdicts_query_no", "query_no"),
    CheckConstraint("reason IN ('phrase', 'script', 'unknown')", name="reason"),
    comment="One row per filters and query that went through them.",
)
