"""Tables of evaluations: what was measured how, the metrics, and the lists behind them."""

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
    Column("split_no", ForeignKey("splits.split_no"), nullable=False, comment="the split"),
    Column("part", Text, nullable=False, comment="validation or test"),
    Column("method", Text, nullable=False, comment="name of the recommender that was measured"),
    Column("num_queries", SmallInteger, comment="queries per user; NULL: none generated"),
    Column("generator_name", Text, comment="generator of the queries; NULL: none generated"),
    Column("content_hash", Text, comment="its content hash; NULL: none generated"),
    Column("options", JSONB, nullable=False, comment="all other options by name"),
    Column("k1", REAL, nullable=False, comment="BM25 k1"),
    Column("b", REAL, nullable=False, comment="BM25 b"),
    Column(
        "index_name",
        id_text(),
        nullable=False,
        comment="the build whose titles were searched",
    ),
    Column("n_eval_users", Integer, nullable=False, comment="users recommended to"),
    Column("code_version", Text, nullable=False, comment="the code that measured"),
    Column("seconds", REAL, nullable=False, comment="time it took, generation included"),
    Column("actor", Text, nullable=False, comment="who started it"),
    now("created_at", "time it was stored"),
    CheckConstraint("part IN ('validation', 'test')", name="part"),
    Index("ix_evaluations_split_no", "split_no"),
    comment="One row per evaluation: one method with one setting on one part of a split.",
)


def _evaluation() -> Column[int]:
    return Column(
        "evaluation_no",
        ForeignKey("evaluations.evaluation_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the evaluation",
    )


def _k() -> Column[int]:
    return Column(
        "k", SmallInteger, primary_key=True, autoincrement=False, comment="items asked for"
    )


evaluation_metrics = Table(
    "evaluation_metrics",
    metadata,
    _evaluation(),
    _k(),
    Column("segment", Text, primary_key=True, comment="group of users; all: every eval_user"),
    Column("metric", Text, primary_key=True, comment="name of the metric"),
    Column("mean", Float, nullable=False, comment="mean over users"),
    Column("low", Float, comment="lower end of its 95 % interval; NULL: no mean over users"),
    Column("high", Float, comment="upper end of its 95 % interval; NULL: no mean over users"),
    Column("n_users", Integer, nullable=False, comment="users who have a value"),
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
        comment="the user",
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
        comment="the run that was merged again",
    ),
    Column(
        "changed",
        JSONB,
        nullable=False,
        comment="manifest entries that were changed, by dotted name: [then, now]",
    ),
    Column("k", SmallInteger, nullable=False, comment="items per user in the replay"),
    Column("num_queries", SmallInteger, nullable=False, comment="queries per user that were used"),
    Column("k1", Float, nullable=False, comment="BM25 k1 of the replay"),
    Column("b", Float, nullable=False, comment="BM25 b of the replay"),
    Column("exclude_bought", Boolean, nullable=False, comment="whether bought items were left out"),
    Column("n_users", Integer, nullable=False, comment="users merged"),
    Column("n_recommendations", BigInteger, nullable=False, comment="rows of the replayed lists"),
    Column(
        "n_searches", BigInteger, nullable=False, comment="searches made, beyond the stored ones"
    ),
    Column(
        "differing_rows",
        BigInteger,
        nullable=False,
        comment="rows, stored or replayed, without an equal on the other side; 0: the same result",
    ),
    Column("equal_lists", Integer, nullable=False, comment="users whose list stayed the same"),
    Column(
        "mean_jaccard",
        Float,
        comment="mean over users of common items by all items of both lists; NULL: no lists",
    ),
    Column(
        "jaccard_deciles",
        ARRAY(REAL),
        nullable=False,
        comment="the same at 0, 10, ... 100 % of users; empty: no lists",
    ),
    Column("actor", Text, nullable=False, comment="who replayed it"),
    now("replayed_at", "time of the replay"),
    Column(
        "minimum_should_match",
        Text,
        comment="how many of a query's terms a title had to have; NULL: any was enough",
    ),
    Index("ix_replays_run_no", "run_no"),
    comment="One row per replay: a run merged again from stored queries with other settings.",
)

replay_metrics = Table(
    "replay_metrics",
    metadata,
    Column(
        "replay_no",
        ForeignKey("replays.replay_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the replay",
    ),
    Column("metric", Text, primary_key=True, comment="recall, hit_rate, ndcg or mrr at its k"),
    Column(
        "split_name", Text, nullable=False, comment="split whose held-out items were looked for"
    ),
    Column("part", Text, nullable=False, comment="validation or test"),
    Column("n_users", Integer, nullable=False, comment="users measured"),
    Column("stored", Float, nullable=False, comment="mean of the run's own lists"),
    Column("replayed", Float, nullable=False, comment="mean of the replayed lists"),
    Column("gain", Float, nullable=False, comment="mean difference"),
    Column("gain_low", Float, nullable=False, comment="low end of its paired 95 % interval"),
    Column("gain_high", Float, nullable=False, comment="high end of its paired 95 % interval"),
    Column(
        "p_value",
        Float,
        nullable=False,
        comment="chance of such a difference by chance alone; corrected for the number of metrics",
    ),
    comment="One row per replay and metric, where a split was named.",
)
