"""Tables of splits: what may be learned from, and what is held out to measure on."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from gpt4rec_es.db.tables.base import metadata, now

_BASKETS = "which of the user's baskets (purchases of one moment), from 0, each of "
_BASKETS_UNKNOWN = " was of; NULL: only the order is known, or the split is older than this column"

splits = Table(
    "splits",
    metadata,
    Column("split_no", Integer, Identity(), primary_key=True, comment="number of the split"),
    Column("name", Text, nullable=False, unique=True, comment="name to call it by"),
    Column(
        "protocol",
        Text,
        nullable=False,
        comment="leave-one-out, users, gpt4rec, next-basket or global-time",
    ),
    Column("options", JSONB, nullable=False, comment="all options by name"),
    Column(
        "content_hash",
        Text,
        nullable=False,
        comment="hash of all its parts by external ids: equal for equal splits of any database",
    ),
    Column("has_times", Boolean, nullable=False, comment="whether gaps in time are known"),
    Column(
        "history_version",
        BigInteger,
        nullable=False,
        comment="interactions up to this version were split",
    ),
    Column("catalog_version", BigInteger, nullable=False, comment="catalog version at that time"),
    Column("n_train", Integer, nullable=False, comment="users to learn from"),
    Column("n_validation", Integer, nullable=False, comment="users held out for validation"),
    Column("n_test", Integer, nullable=False, comment="users held out for the test"),
    Column("n_left_out", Integer, nullable=False, comment="users with too little to be measured"),
    Column("actor", Text, nullable=False, comment="who made it"),
    now("created_at", "time it was made"),
    comment="One row per split of the histories into training, validation and test.",
)

split_train = Table(
    "split_train",
    metadata,
    Column(
        "split_no",
        ForeignKey("splits.split_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the split",
    ),
    Column(
        "user_no",
        ForeignKey("users.user_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the user",
    ),
    Column("item_nos", ARRAY(Integer), nullable=False, comment="what may be learned, oldest first"),
    Column("baskets", ARRAY(Integer), comment=f"{_BASKETS}item_nos{_BASKETS_UNKNOWN}"),
    CheckConstraint("cardinality(baskets) = cardinality(item_nos)", name="baskets"),
    Index("ix_split_train_user_no", "user_no"),
    comment="One row per split and user to learn from.",
)

split_eval_users = Table(
    "split_eval_users",
    metadata,
    Column(
        "split_no",
        ForeignKey("splits.split_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the split",
    ),
    Column("part", Text, primary_key=True, comment="validation or test"),
    Column(
        "user_no",
        ForeignKey("users.user_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the user",
    ),
    Column("history", ARRAY(Integer), nullable=False, comment="items known, oldest first"),
    Column(
        "targets", ARRAY(Integer), nullable=False, comment="items held out (qrels), oldest first"
    ),
    Column(
        "gap_s",
        Float,
        comment="seconds from the newest known purchase to the first target; NULL: no times",
    ),
    Column("baskets", ARRAY(Integer), comment=f"{_BASKETS}history{_BASKETS_UNKNOWN}"),
    CheckConstraint("cardinality(baskets) = cardinality(history)", name="baskets"),
    CheckConstraint("part IN ('validation', 'test')", name="part"),
    CheckConstraint("targets <> '{}'", name="targets"),
    Index("ix_split_eval_users_user_no", "user_no"),
    comment="One row per split, part and user to recommend to.",
)

split_prompts = Table(
    "split_prompts",
    metadata,
    Column(
        "split_no",
        ForeignKey("splits.split_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the split",
    ),
    Column(
        "prompt_no",
        ForeignKey("prompts.prompt_no"),
        primary_key=True,
        comment="a prompt of one of its users, by any generator",
    ),
    Index("ix_split_prompts_prompt_no", "prompt_no"),
    comment="One row per split and prompt: keeps what was generated for it from being collected.",
)
