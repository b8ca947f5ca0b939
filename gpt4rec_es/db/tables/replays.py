"""The table of replays: what merging a night again with other settings came to."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
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

from gpt4rec_es.db.tables.base import metadata, now

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
