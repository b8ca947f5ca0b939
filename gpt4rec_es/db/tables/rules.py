"""Tables of the rules that keep items out of lists, and of what each run made of them."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Integer,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY

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
