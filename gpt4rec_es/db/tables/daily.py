"""Tables of what stays of a published run after its lists are pruned: sums, and a few examples.

Rows belong to a run and are written before it is published; ``daily_runs`` says which run counts
for a date, and moves in the transaction that publishes or rolls back. No view shows other rows.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
)

from gpt4rec_es.db.tables.base import metadata


def _run() -> Column[int]:
    return Column("run_no", ForeignKey("runs.run_no"), primary_key=True, comment="the run")


daily_runs = Table(
    "daily_runs",
    metadata,
    Column("kind", Text, primary_key=True, comment="kind of run"),
    Column("logical_date", Date, primary_key=True, comment="the date"),
    Column(
        "run_no",
        ForeignKey("runs.run_no"),
        nullable=False,
        unique=True,
        comment="the run last published for that date",
    ),
    comment="One row per kind and date: the run whose sums count for the date.",
)

daily_queries = Table(
    "daily_queries",
    metadata,
    _run(),
    Column(
        "query_no",
        ForeignKey("queries.query_no"),
        primary_key=True,
        comment="the query",
    ),
    Column("n_users", Integer, nullable=False, comment="users it was generated for"),
    Column(
        "n_hits",
        Integer,
        comment="hits known of it, at most the run's depth; NULL: it was not searched",
    ),
    Column(
        "has_more_hits",
        Boolean,
        nullable=False,
        comment="whether the search stopped at the run's depth",
    ),
    Column(
        "is_empty_query",
        Boolean,
        nullable=False,
        comment="no token of the text was left after analysis",
    ),
    Column(
        "n_recommended",
        Integer,
        nullable=False,
        comment="recommendations that it found",
    ),
    # Also for deleting a query.
    Index("ix_daily_queries_query_no", "query_no"),
    comment="One row per run and distinct query of at least as many users as the run asks for.",
)

daily_examples = Table(
    "daily_examples",
    metadata,
    _run(),
    Column("query_no", BigInteger, primary_key=True, autoincrement=False, comment="the query"),
    Column(
        "place",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="1-based, by how many of its users share the title",
    ),
    Column("item_no", ForeignKey("items.item_no"), nullable=False, comment="newest title bought"),
    Column(
        "user_no", Integer, nullable=False, comment="a user with that title, to be forgotten by"
    ),
    Index("ix_daily_examples_user_no", "user_no"),
    comment="One row per run, query without hits and example of its users' last titles.",
)

daily_items = Table(
    "daily_items",
    metadata,
    _run(),
    Column("item_no", ForeignKey("items.item_no"), primary_key=True, comment="the item"),
    Column("n_users", Integer, nullable=False, comment="users it was recommended to"),
    Column("n_by_query", Integer, nullable=False, comment="of those, found by a generated query"),
    Index("ix_daily_items_item_no", "item_no"),
    comment="One row per run and item that was recommended.",
)

daily_coverage = Table(
    "daily_coverage",
    metadata,
    _run(),
    Column("of", Text, primary_key=True, comment="all, brand or category"),
    Column("value", Text, primary_key=True, comment="its name; empty: unknown, or all"),
    Column("n_items", Integer, nullable=False, comment="items that could be recommended then"),
    Column("n_recommended_items", Integer, nullable=False, comment="of those, recommended ones"),
    Column("n_recommendations", BigInteger, nullable=False, comment="recommendations of those"),
    CheckConstraint("\"of\" IN ('all', 'brand', 'category')", name="of"),
    comment=(
        "One row per run and brand or category, and one for all: how much of the catalog shows."
    ),
)
