"""Tables of daily sums and examples of a published run, which stay when its lists are pruned.

Rows belong to a run and are written before it is published; ``daily_runs`` names the run shown for
a date and changes in the transaction that publishes or rolls back. Views show no other rows.
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
    return Column(
        "run_no",
        ForeignKey("runs.run_no"),
        primary_key=True,
        comment="run that the row is counted for",
    )


daily_runs = Table(
    "daily_runs",
    metadata,
    Column("kind", Text, primary_key=True, comment="kind of run"),
    Column(
        "logical_date",
        Date,
        primary_key=True,
        comment="date of the run, in the schedule's time zone",
    ),
    Column(
        "run_no",
        ForeignKey("runs.run_no"),
        nullable=False,
        unique=True,
        comment="run last published for the date",
    ),
    comment="One row per kind and date: the run whose sums are shown for the date.",
)

daily_queries = Table(
    "daily_queries",
    metadata,
    _run(),
    Column(
        "query_no",
        ForeignKey("queries.query_no"),
        primary_key=True,
        comment="query text",
    ),
    Column(
        "n_users",
        Integer,
        nullable=False,
        comment="number of users that the query was generated for",
    ),
    Column(
        "n_hits",
        Integer,
        comment=(
            "number of hits stored for the query, at most the run's depth; NULL: it was "
            "not searched"
        ),
    ),
    Column(
        "has_more_hits",
        Boolean,
        nullable=False,
        comment="whether the index has more hits than the run's depth",
    ),
    Column(
        "is_empty_query",
        Boolean,
        nullable=False,
        comment="whether analysis left no token of the query text",
    ),
    Column(
        "n_recommended",
        Integer,
        nullable=False,
        comment="number of recommendations that the query found",
    ),
    # Also used to delete a query.
    Index("ix_daily_queries_query_no", "query_no"),
    comment=(
        "One row per run and distinct query that was generated for at least the run's "
        "minimum number of users."
    ),
)

daily_examples = Table(
    "daily_examples",
    metadata,
    _run(),
    Column(
        "query_no", BigInteger, primary_key=True, autoincrement=False, comment="query without hits"
    ),
    Column(
        "place",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="1-based rank by number of the query's users with this title",
    ),
    Column(
        "item_no",
        ForeignKey("items.item_no"),
        nullable=False,
        comment="item that the users bought last",
    ),
    Column(
        "user_no",
        Integer,
        nullable=False,
        comment="one user with that title; erasing this user deletes the row",
    ),
    Index("ix_daily_examples_user_no", "user_no"),
    comment=(
        "One row per run, query without hits and example: a title that users of the "
        "query bought last."
    ),
)

daily_items = Table(
    "daily_items",
    metadata,
    _run(),
    Column("item_no", ForeignKey("items.item_no"), primary_key=True, comment="recommended item"),
    Column(
        "n_users",
        Integer,
        nullable=False,
        comment="number of users that the item was recommended to",
    ),
    Column(
        "n_by_query",
        Integer,
        nullable=False,
        comment="number of users with the item found by a generated query",
    ),
    Index("ix_daily_items_item_no", "item_no"),
    comment="One row per run and recommended item.",
)

daily_coverage = Table(
    "daily_coverage",
    metadata,
    _run(),
    Column("of", Text, primary_key=True, comment="group of items: all, brand or category"),
    Column(
        "value",
        Text,
        primary_key=True,
        comment="name of the brand or category; empty: unknown, or all items",
    ),
    Column(
        "n_items",
        Integer,
        nullable=False,
        comment="number of items that could be recommended at publishing",
    ),
    Column(
        "n_recommended_items",
        Integer,
        nullable=False,
        comment="number of those items that were recommended",
    ),
    Column(
        "n_recommendations",
        BigInteger,
        nullable=False,
        comment="number of recommendations of those items",
    ),
    CheckConstraint("\"of\" IN ('all', 'brand', 'category')", name="of"),
    comment=(
        "One row per run and brand or category, and one for all items: coverage of "
        "the catalog by lists."
    ),
)
