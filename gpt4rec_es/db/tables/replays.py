"""Tables of replays: options and metrics of runs merged again."""

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
