"""Tables of evaluations: settings, metrics and lists."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
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

from gpt4rec_es.db.tables.base import id_text, metadata, now

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


replays = Table(
    "replays",
    metadata,
    Column("replay_no", Integer, Identity(), primary_key=True, comment="number of the replay"),
    Column(
        "run_no",
        ForeignKey("runs.run_no", ondelete="CASCADE"),
        nullable=False,
        comment="run that was merged again",
    ),
    Column(
        "changed",
        JSONB,
        nullable=False,
        comment=(
            "JSON: manifest entries that differ, by dotted name: [value in the run, value "
            "in the replay]"
        ),
    ),
    Column(
        "k", SmallInteger, nullable=False, comment="maximum number of items per user in the replay"
    ),
    Column(
        "num_queries",
        SmallInteger,
        nullable=False,
        comment="number of queries per user in the replay",
    ),
    Column("k1", Float, nullable=False, comment="BM25 k1 of the replay"),
    Column("b", Float, nullable=False, comment="BM25 b of the replay"),
    Column(
        "exclude_bought",
        Boolean,
        nullable=False,
        comment="whether the replay left out bought items",
    ),
    Column("n_users", Integer, nullable=False, comment="number of users in the replay"),
    Column(
        "n_recommendations",
        BigInteger,
        nullable=False,
        comment="number of rows of the replayed lists",
    ),
    Column(
        "n_searches",
        BigInteger,
        nullable=False,
        comment="number of searches that were not stored and had to be made",
    ),
    Column(
        "differing_rows",
        BigInteger,
        nullable=False,
        comment=(
            "number of rows, stored or replayed, without an equal row on the other side; "
            "0: equal results"
        ),
    ),
    Column(
        "equal_lists",
        Integer,
        nullable=False,
        comment="number of users with equal stored and replayed lists",
    ),
    Column(
        "mean_jaccard",
        Float,
        comment="Jaccard similarity of stored and replayed list, mean over users; NULL: no lists",
    ),
    Column(
        "jaccard_deciles",
        ARRAY(REAL),
        nullable=False,
        comment="that Jaccard similarity at 0, 10, ... 100 % of users; empty: no lists",
    ),
    Column("actor", Text, nullable=False, comment="operator that started the replay (login name)"),
    now("replayed_at", "time of the replay"),
    Column(
        "minimum_should_match",
        Text,
        comment=(
            "minimum_should_match of the searches, as 2 or 75%; NULL: a title needs only "
            "one of a query's terms"
        ),
    ),
    Index("ix_replays_run_no", "run_no"),
    comment="One row per replay: a run's stored queries merged again with other settings.",
)

replay_metrics = Table(
    "replay_metrics",
    metadata,
    Column(
        "replay_no",
        ForeignKey("replays.replay_no", ondelete="CASCADE"),
        primary_key=True,
        comment="replay that was measured",
    ),
    Column(
        "metric", Text, primary_key=True, comment="recall, hit_rate, ndcg or mrr at the replay's k"
    ),
    Column("split_name", Text, nullable=False, comment="split with the held-out items"),
    Column("part", Text, nullable=False, comment="validation or test"),
    Column("n_users", Integer, nullable=False, comment="number of users measured"),
    Column(
        "stored", Float, nullable=False, comment="mean of the metric over the run's stored lists"
    ),
    Column("replayed", Float, nullable=False, comment="mean of the metric over the replayed lists"),
    Column("gain", Float, nullable=False, comment="mean difference, replayed minus stored"),
    Column(
        "gain_low",
        Float,
        nullable=False,
        comment="lower end of the paired 95 % confidence interval of the gain",
    ),
    Column(
        "gain_high",
        Float,
        nullable=False,
        comment="upper end of the paired 95 % confidence interval of the gain",
    ),
    Column(
        "p_value",
        Float,
        nullable=False,
        comment="p-value of the gain, corrected for the number of metrics",
    ),
    comment="One row per replay and metric, if a split was given.",
)
