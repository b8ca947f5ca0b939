"""Tables of evaluations: settings, metrics and lists."""

from sqlalchemy import (
    REAL,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from gpt4rec_es.db.tables.base import first_query_columns, id_text, metadata, now

evaluations = Table(
    "evaluations",
    metadata,
    Column(
        "evaluation_no", Integer, Identity(), primary_key=True, comment="number of the evaluation"
    ),
    Column(
        "split_no",
        ForeignKey("splits.split_no"),
        nullable=False,
        comment="split that was measured on",
    ),
    Column("part", Text, nullable=False, comment="validation or test"),
    Column("method", Text, nullable=False, comment="name of the recommender"),
    Column(
        "num_queries",
        SmallInteger,
        comment="number of queries per user; NULL: the method generates none",
    ),
    Column(
        "generator_name",
        Text,
        comment="name of the query generator; NULL: the method generates no queries",
    ),
    Column(
        "content_hash",
        Text,
        comment="content hash of the query generator; NULL: the method generates no queries",
    ),
    Column("options", JSONB, nullable=False, comment="JSON: all other options by name"),
    Column("k1", REAL, nullable=False, comment="BM25 k1 of the search"),
    Column("b", REAL, nullable=False, comment="BM25 b of the search"),
    Column(
        "index_name",
        id_text(),
        nullable=False,
        comment="Elasticsearch index whose titles were searched",
    ),
    Column("n_eval_users", Integer, nullable=False, comment="number of users evaluated"),
    Column("code_version", Text, nullable=False, comment="code version that made the evaluation"),
    Column("seconds", REAL, nullable=False, comment="duration in seconds, generation included"),
    Column(
        "actor", Text, nullable=False, comment="operator that started the evaluation (login name)"
    ),
    now("created_at", "time the evaluation was stored"),
    *first_query_columns(),
    CheckConstraint("part IN ('validation', 'test')", name="part"),
    Index("ix_evaluations_split_no", "split_no"),
    comment="One row per evaluation: one method with one setting on one part of a split.",
)


def _evaluation() -> Column[int]:
    return Column(
        "evaluation_no",
        ForeignKey("evaluations.evaluation_no", ondelete="CASCADE"),
        primary_key=True,
        comment="evaluation that the row belongs to",
    )


def _k() -> Column[int]:
    return Column(
        "k",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="list length: maximum number of items per user",
    )


evaluation_metrics = Table(
    "evaluation_metrics",
    metadata,
    _evaluation(),
    _k(),
    Column("segment", Text, primary_key=True, comment="group of users; all: every user"),
    Column("metric", Text, primary_key=True, comment="name of the metric"),
    Column("mean", Float, nullable=False, comment="mean of the metric over users"),
    Column(
        "low",
        Float,
        comment=(
            "lower end of the mean's 95 % confidence interval; NULL: the metric is no "
            "mean over users"
        ),
    ),
    Column(
        "high",
        Float,
        comment=(
            "upper end of the mean's 95 % confidence interval; NULL: the metric is no "
            "mean over users"
        ),
    ),
    Column(
        "n_users", Integer, nullable=False, comment="number of users with a value of the metric"
    ),
    comment="One row per evaluation, list length, segment and metric.",
)

evaluation_lists = Table(
    "evaluation_lists",
    metadata,
    _evaluation(),
    _k(),
    Column(
        "user_no",
        ForeignKey("users.user_no", ondelete="CASCADE"),
        primary_key=True,
        comment="user that the items are recommended to",
    ),
    Column("item_nos", ARRAY(Integer), nullable=False, comment="recommended items, best first"),
    Index("ix_evaluation_lists_user_no", "user_no"),
    comment="One row per evaluation, list length and user.",
)
