"""Tables of splits: training histories and held-out items."""

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

splits = Table(
    "splits",
    metadata,
    Column("split_no", Integer, Identity(), primary_key=True, comment="number of the split"),
    Column("name", Text, nullable=False, unique=True, comment="unique name of the split"),
    Column(
        "protocol",
        Text,
        nullable=False,
        comment="leave-one-out, users, gpt4rec, next-basket or global-time",
    ),
    Column("options", JSONB, nullable=False, comment="JSON: all options of the split by name"),
    Column(
        "content_hash",
        Text,
        nullable=False,
        comment=(
            "hash of the split's content by external ids: equal for equal splits in any database"
        ),
    ),
    Column(
        "has_times", Boolean, nullable=False, comment="whether times between purchases are known"
    ),
    Column(
        "history_version",
        BigInteger,
        nullable=False,
        comment="history version of the split: it reads interactions up to this version",
    ),
    Column(
        "catalog_version",
        BigInteger,
        nullable=False,
        comment="catalog version when the split was made",
    ),
    Column("n_train", Integer, nullable=False, comment="number of training users"),
    Column("n_validation", Integer, nullable=False, comment="number of validation users"),
    Column("n_test", Integer, nullable=False, comment="number of test users"),
    Column(
        "n_left_out",
        Integer,
        nullable=False,
        comment="number of users with a history too short to be measured",
    ),
    Column("actor", Text, nullable=False, comment="operator that made the split (login name)"),
    now("created_at", "time the split was made"),
    comment="One row per split of the histories into training, validation and test.",
)

split_train = Table(
    "split_train",
    metadata,
    Column(
        "split_no",
        ForeignKey("splits.split_no", ondelete="CASCADE"),
        primary_key=True,
        comment="split that the row belongs to",
    ),
    Column(
        "user_no",
        ForeignKey("users.user_no", ondelete="CASCADE"),
        primary_key=True,
        comment="training user",
    ),
    Column(
        "item_nos",
        ARRAY(Integer),
        nullable=False,
        comment="items of the training history, oldest first",
    ),
    Column(
        "baskets",
        ARRAY(Integer),
        comment=(
            "basket (purchases of equal time, 0 first) of each item in item_nos; NULL: "
            "only the order is known, or the split is older than this column"
        ),
    ),
    CheckConstraint("cardinality(baskets) = cardinality(item_nos)", name="baskets"),
    Index("ix_split_train_user_no", "user_no"),
    comment="One row per split and training user.",
)

split_eval_users = Table(
    "split_eval_users",
    metadata,
    Column(
        "split_no",
        ForeignKey("splits.split_no", ondelete="CASCADE"),
        primary_key=True,
        comment="split that the row belongs to",
    ),
    Column("part", Text, primary_key=True, comment="validation or test"),
    Column(
        "user_no",
        ForeignKey("users.user_no", ondelete="CASCADE"),
        primary_key=True,
        comment="evaluated user",
    ),
    Column(
        "history", ARRAY(Integer), nullable=False, comment="known items of the user, oldest first"
    ),
    Column(
        "targets",
        ARRAY(Integer),
        nullable=False,
        comment="held-out items of the user (qrels), oldest first",
    ),
    Column(
        "gap_s",
        Float,
        comment="seconds from the newest known purchase to the first target; NULL: no times",
    ),
    Column(
        "baskets",
        ARRAY(Integer),
        comment=(
            "basket (purchases of equal time, 0 first) of each item in history; NULL: "
            "only the order is known, or the split is older than this column"
        ),
    ),
    CheckConstraint("cardinality(baskets) = cardinality(history)", name="baskets"),
    CheckConstraint("part IN ('validation', 'test')", name="part"),
    CheckConstraint("targets <> '{}'", name="targets"),
    Index("ix_split_eval_users_user_no", "user_no"),
    comment="One row per split, part and evaluated user.",
)

split_prompts = Table(
    "split_prompts",
    metadata,
    Column(
        "split_no",
        ForeignKey("splits.split_no", ondelete="CASCADE"),
        primary_key=True,
        comment="split that needs the prompt",
    ),
    Column(
        "prompt_no",
        ForeignKey("prompts.prompt_no"),
        primary_key=True,
        comment="prompt of one of the split's users, for any generator",
    ),
    Index("ix_split_prompts_prompt_no", "prompt_no"),
    comment=(
        "One row per split and prompt; a prompt named here and its generations are not collected."
    ),
)
