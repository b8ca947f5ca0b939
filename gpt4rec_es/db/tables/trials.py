"""Tables of tuning: what was tried for k1, b and more, and what was found better or not."""

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
    SmallInteger,
    Table,
    Text,
)

from gpt4rec_es.db.tables.base import metadata, now

trials = Table(
    "trials",
    metadata,
    Column("trial_no", Integer, Identity(), primary_key=True, comment="number of the trial"),
    Column("split_name", Text, nullable=False, comment="split that it was measured on"),
    Column("split_hash", Text, nullable=False, comment="content hash of that split"),
    Column("part", Text, nullable=False, comment="validation or test"),
    Column(
        "generator_no",
        ForeignKey("generators.generator_no"),
        nullable=False,
        comment="generator that wrote the queries",
    ),
    Column(
        "decoding_no",
        ForeignKey("decodings.decoding_no"),
        nullable=False,
        comment="how they were decoded",
    ),
    Column(
        "build_no",
        ForeignKey("builds.build_no"),
        nullable=False,
        comment="the build that was live: its catalog and analyzer were measured",
    ),
    Column("metric", Text, nullable=False, comment="recall or ndcg: what decided"),
    Column("k", SmallInteger, nullable=False, comment="items per list"),
    Column("exclude_bought", Boolean, nullable=False, comment="whether bought items were left out"),
    Column("grid", Text, nullable=False, comment="coarse, fine or full"),
    Column("seed", BigInteger, nullable=False, comment="seed of samples, intervals and tests"),
    Column("n_users", Integer, nullable=False, comment="users measured"),
    Column("n_queries", Integer, nullable=False, comment="distinct query texts searched"),
    Column("live_k1", Float, nullable=False, comment="k1 that was live"),
    Column("live_b", Float, nullable=False, comment="b that was live"),
    Column("best_k1", Float, nullable=False, comment="k1 of the point with the highest mean"),
    Column("best_b", Float, nullable=False, comment="b of that point"),
    Column("recommended_k1", Float, nullable=False, comment="k1 to be used"),
    Column("recommended_b", Float, nullable=False, comment="b to be used"),
    Column("verdict", Text, nullable=False, comment="what to do and why, in a sentence"),
    Column(
        "verified_build_no",
        ForeignKey("builds.build_no"),
        nullable=False,
        comment="build with the best k1, b on which hits were compared with those in process",
    ),
    Column(
        "n_verified", Integer, nullable=False, comment="queries with the same hits on that build"
    ),
    Column("actor", Text, nullable=False, comment="who tuned"),
    Column("code_version", Text, nullable=False, comment="the code that did it"),
    now("tuned_at", "time it was stored"),
    Column(
        "minimum_should_match",
        Text,
        comment="how many of a query's terms a title had to have; NULL: any was enough",
    ),
    comment="One row per trial: a grid of k1, b measured on generated queries and held-out items.",
)

trial_points = Table(
    "trial_points",
    metadata,
    Column(
        "trial_no",
        ForeignKey("trials.trial_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the trial",
    ),
    Column(
        "point_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="1-based, in the order of measuring",
    ),
    Column("k1", Float, nullable=False, comment="BM25 k1"),
    Column("b", Float, nullable=False, comment="BM25 b"),
    Column("recall", Float, nullable=False, comment="mean recall at the trial's k"),
    Column("ndcg", Float, nullable=False, comment="mean NDCG at the trial's k"),
    comment="One row per trial and point that was measured.",
)

trial_comparisons = Table(
    "trial_comparisons",
    metadata,
    Column(
        "trial_no",
        ForeignKey("trials.trial_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the trial",
    ),
    Column(
        "candidate",
        Text,
        primary_key=True,
        comment="best: the point with the highest mean",
    ),
    Column("reference", Text, primary_key=True, comment="defaults or live: k1, b compared with"),
    Column("segment", Text, primary_key=True, comment="all, or the group of users"),
    Column("n_users", Integer, nullable=False, comment="users of the segment"),
    Column("gain", Float, nullable=False, comment="mean difference of the trial's metric"),
    Column("gain_low", Float, nullable=False, comment="low end of its 95 % interval"),
    Column("gain_high", Float, nullable=False, comment="high end of its 95 % interval"),
    Column(
        "p_value",
        Float,
        nullable=False,
        comment="chance of such a gain without any difference; corrected for the number of tries",
    ),
    comment="One row per trial, candidate, reference and segment.",
)

trial_queries = Table(
    "trial_queries",
    metadata,
    Column(
        "trial_no",
        ForeignKey("trials.trial_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the trial",
    ),
    Column("direction", Text, primary_key=True, comment="gained or lost"),
    Column(
        "place",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="1-based, the largest change first",
    ),
    Column(
        "user_no",
        ForeignKey("users.user_no", ondelete="CASCADE"),
        nullable=False,
        comment="a user the query was written for",
    ),
    Column("query", Text, nullable=False, comment="the query text"),
    Column("item_no", ForeignKey("items.item_no"), nullable=False, comment="the held-out item"),
    Column(
        "rank_before",
        SmallInteger,
        comment="place of the item among the hits with the live k1, b; NULL: beyond 100",
    ),
    Column("rank_after", SmallInteger, comment="the same with the best k1, b; NULL: beyond 100"),
    CheckConstraint("direction IN ('gained', 'lost')", name="direction"),
    Index("ix_trial_queries_user_no", "user_no"),
    comment="One row per query that a trial's best k1, b helps or harms most.",
)
