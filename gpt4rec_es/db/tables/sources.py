"""Tables of what candidate sources other than queries are made from."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
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
        comment="interactions up to this version are counted",
    ),
    Column(
        "catalog_version",
        BigInteger,
        nullable=False,
        comment="neighbours could be recommended at this version",
    ),
    Column("neighbours", Integer, nullable=False, comment="most neighbours kept per item"),
    Column(
        "pair_history",
        Integer,
        nullable=False,
        comment="newest purchases of a user that count as bought together",
    ),
    Column("n_items", Integer, nullable=False, comment="items with a neighbour"),
    now("created_at", "time it was stored"),
    Column(
        "pair_decay",
        Double,
        nullable=False,
        comment="a pair counts so much less with each basket further apart",
    ),
    Column(
        "pair_backward",
        Double,
        nullable=False,
        comment="what a pair counts for an item bought before the other",
    ),
    Column(
        "pair_popularity",
        Double,
        nullable=False,
        comment="p: fraction of the exponent that goes to the neighbour's buyers",
    ),
    Column("pair_damping", Double, nullable=False, comment="d: added to the item's own buyers"),
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
    comment=("One row per set of co-purchases; it is there with all its neighbours or not at all."),
)

co_purchases = Table(
    "co_purchases",
    metadata,
    Column(
        "set_no",
        ForeignKey("co_purchase_sets.set_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the set",
    ),
    Column("item_no", Integer, primary_key=True, autoincrement=False, comment="a bought item"),
    Column(
        "neighbour_nos",
        ARRAY(Integer),
        nullable=False,
        comment="items its buyers bought, greatest similarity first",
    ),
    Column(
        "similarities",
        ARRAY(REAL),
        nullable=False,
        comment=(
            "parallel to neighbour_nos: sum of the pairs' weights over users who bought both, "
            "divided by (buyers of the item + d)^(1 - p) x (buyers of the neighbour)^p"
        ),
    ),
    comment="One row per set and bought item: what is bought together with it.",
)

run_titles = Table(
    "run_titles",
    metadata,
    Column(
        "run_no", ForeignKey("runs.run_no", ondelete="CASCADE"), primary_key=True, comment="the run"
    ),
    Column(
        "item_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="an item that was bought",
    ),
    Column(
        "query_no",
        ForeignKey("queries.query_no"),
        nullable=False,
        comment="its title as a query",
    ),
    # For deleting a query.
    Index("ix_run_titles_query_no", "query_no"),
    comment=(
        "One row per run and bought item with a title, if titles are a source of the run: what is "
        "searched for it, frozen at planning."
    ),
)
