"""Tables of candidate sources other than queries, and of popular items."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gpt4rec_es.db.tables.base import metadata, now

co_purchase_sets = Table(
    "co_purchase_sets",
    metadata,
    Column("set_no", Integer, Identity(), primary_key=True, comment="number of the set"),
    Column(
        "history_version",
        BigInteger,
        nullable=False,
        comment="history version of the set: interactions up to it are counted",
    ),
    Column(
        "catalog_version",
        BigInteger,
        nullable=False,
        comment="catalog version of the set: a neighbour could be recommended at it",
    ),
    Column(
        "neighbours",
        Integer,
        nullable=False,
        comment="maximum number of neighbours stored per item",
    ),
    Column(
        "pair_history",
        Integer,
        nullable=False,
        comment="number of a user's newest purchases that are paired with each other",
    ),
    Column(
        "n_items", Integer, nullable=False, comment="number of items with at least one neighbour"
    ),
    now("created_at", "time the set was stored"),
    Column(
        "pair_decay",
        Double,
        nullable=False,
        comment="factor by which a pair's weight decreases per basket between its two purchases",
    ),
    Column(
        "pair_backward",
        Double,
        nullable=False,
        comment="weight factor of a pair for an item bought before the other",
    ),
    Column(
        "pair_popularity",
        Double,
        nullable=False,
        comment="p: share of the normalising exponent that is applied to the neighbour's buyers",
    ),
    Column(
        "pair_damping",
        Double,
        nullable=False,
        comment="d: number added to the item's own buyers when normalising",
    ),
    Column(
        "item_buyers",
        LargeBinary,
        comment="number of buyers by item number, from 0 on, 4 bytes each (int32, little-endian); "
        "NULL: not counted, a set of an earlier version",
    ),
    UniqueConstraint(
        "history_version",
        "catalog_version",
        "neighbours",
        "pair_history",
        "pair_decay",
        "pair_backward",
        "pair_popularity",
        "pair_damping",
        name="uq_co_purchase_sets_made_from",
    ),
    comment="One row per set of co-purchases, stored in one transaction with all its neighbours.",
)

co_purchases = Table(
    "co_purchases",
    metadata,
    Column(
        "set_no",
        ForeignKey("co_purchase_sets.set_no", ondelete="CASCADE"),
        primary_key=True,
        comment="co-purchase set of the row",
    ),
    Column(
        "item_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="bought item whose neighbours these are",
    ),
    Column(
        "neighbour_nos",
        ARRAY(Integer),
        nullable=False,
        comment="items bought by the same users, highest similarity first",
    ),
    Column(
        "similarities",
        ARRAY(REAL),
        nullable=False,
        comment=(
            "similarities, parallel to neighbour_nos: sum of the pairs' weights over "
            "users that bought both, divided by (buyers of the item + d)^(1 - p) x "
            "(buyers of the neighbour)^p"
        ),
    ),
    comment="One row per set and bought item: the items that are bought together with it.",
)

run_titles = Table(
    "run_titles",
    metadata,
    Column(
        "run_no",
        ForeignKey("runs.run_no", ondelete="CASCADE"),
        primary_key=True,
        comment="run that the row was frozen for",
    ),
    Column(
        "item_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="item that was bought",
    ),
    Column(
        "query_no",
        ForeignKey("queries.query_no"),
        nullable=False,
        comment="query made from the item's title",
    ),
    # Used to delete a query.
    Index("ix_run_titles_query_no", "query_no"),
    comment=(
        "One row per run and bought item with a title, frozen at planning: the query "
        "made from the title. Only for runs with the source titles."
    ),
)

run_popular = Table(
    "run_popular",
    metadata,
    Column(
        "run_no",
        ForeignKey("runs.run_no", ondelete="CASCADE"),
        primary_key=True,
        comment="run that the row was frozen for",
    ),
    Column(
        "rank",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="1-based rank by number of buyers, then item id",
    ),
    Column("item_no", Integer, nullable=False, comment="popular item, active at planning"),
    Column(
        "n_buyers",
        Integer,
        nullable=False,
        comment="number of users that bought the item up to the run's cut-off",
    ),
    comment="One row per run and popular item, frozen at planning: the items of the last fallback.",
)
