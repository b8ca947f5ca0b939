"""Tables of tuning: trials of k1, b and other search settings."""

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
    Column("split_name", Text, nullable=False, comment="split that the trial was measured on"),
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
        comment="decoding settings of the queries",
    ),
    Column(
        "build_no",
        ForeignKey("builds.build_no"),
        nullable=False,
        comment="build that was live: its catalog and analyzer were used",
    ),
    Column("metric", Text, nullable=False, comment="metric that selects k1 and b: recall or ndcg"),
    Column("k", SmallInteger, nullable=False, comment="maximum number of items per list"),
    Column("exclude_bought", Boolean, nullable=False, comment="whether bought items were left out"),
    Column("grid", Text, nullable=False, comment="grid of k1, b: coarse, fine or full"),
    Column(
        "seed",
        BigInteger,
        nullable=False,
        comment="seed of samples, confidence intervals and tests",
    ),
    Column("n_users", Integer, nullable=False, comment="number of users measured"),
    Column("n_queries", Integer, nullable=False, comment="number of distinct query texts searched"),
    Column("live_k1", Float, nullable=False, comment="BM25 k1 of the live index"),
    Column("live_b", Float, nullable=False, comment="BM25 b of the live index"),
    Column("best_k1", Float, nullable=False, comment="BM25 k1 of the point with the highest mean"),
    Column("best_b", Float, nullable=False, comment="BM25 b of the point with the highest mean"),
    Column("recommended_k1", Float, nullable=False, comment="BM25 k1 that the trial recommends"),
    Column("recommended_b", Float, nullable=False, comment="BM25 b that the trial recommends"),
    Column(
        "verdict", Text, nullable=False, comment="recommendation and its reason in one sentence"
    ),
    Column(
        "verified_build_no",
        ForeignKey("builds.build_no"),
        nullable=False,
        comment=(
            "build with the best k1, b whose hits were compared with those of the in-process BM25"
        ),
    ),
    Column(
        "n_verified",
        Integer,
        nullable=False,
        comment="number of queries with equal hits on that build",
    ),
    Column("actor", Text, nullable=False, comment="operator that started the trial (login name)"),
    Column("code_version", Text, nullable=False, comment="code version that made the trial"),
    now("tuned_at", "time the trial was stored"),
    Column(
        "minimum_should_match",
        Text,
        comment=(
            "minimum_should_match of the searches, as 2 or 75%; NULL: a title needs only "
            "one of a query's terms"
        ),
    ),
    comment="One row per trial: a grid of k1, b measured with generated queries on held-out items.",
)

trial_points = Table(
    "trial_points",
    metadata,
    Column(
        "trial_no",
        ForeignKey("trials.trial_no", ondelete="CASCADE"),
        primary_key=True,
        comment="trial that measured the point",
    ),
    Column(
        "point_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="1-based number of the point in order of measuring",
    ),
    Column("k1", Float, nullable=False, comment="BM25 k1 of the point"),
    Column("b", Float, nullable=False, comment="BM25 b of the point"),
    Column("recall", Float, nullable=False, comment="mean recall at the trial's k"),
    Column("ndcg", Float, nullable=False, comment="mean NDCG at the trial's k"),
    comment="One row per trial and point (k1, b) that was measured.",
)

trial_comparisons = Table(
    "trial_comparisons",
    metadata,
    Column(
        "trial_no",
        ForeignKey("trials.trial_no", ondelete="CASCADE"),
        primary_key=True,
        comment="trial that made the comparison",
    ),
    Column(
        "candidate",
        Text,
        primary_key=True,
        comment="best: the point with the highest mean",
    ),
    Column(
        "reference", Text, primary_key=True, comment="point that is compared with: defaults or live"
    ),
    Column("segment", Text, primary_key=True, comment="group of users; all: every user"),
    Column("n_users", Integer, nullable=False, comment="number of users of the segment"),
    Column(
        "gain",
        Float,
        nullable=False,
        comment="mean difference of the trial's metric, candidate minus reference",
    ),
    Column(
        "gain_low",
        Float,
        nullable=False,
        comment="lower end of the gain's 95 % confidence interval",
    ),
    Column(
        "gain_high",
        Float,
        nullable=False,
        comment="upper end of the gain's 95 % confidence interval",
    ),
    Column(
        "p_value",
        Float,
        nullable=False,
        comment="p-value of the gain, corrected for the number of tests",
    ),
    comment="One row per trial, candidate, reference and segment of users.",
)

trial_queries = Table(
    "trial_queries",
    metadata,
    Column(
        "trial_no",
        ForeignKey("trials.trial_no", ondelete="CASCADE"),
        primary_key=True,
        comment="trial that measured the query",
    ),
    Column(
        "direction", Text, primary_key=True, comment="gained (better rank) or lost (worse rank)"
    ),
    Column(
        "place",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="1-based rank by size of the change, largest first",
    ),
    Column(
        "user_no",
        ForeignKey("users.user_no", ondelete="CASCADE"),
        nullable=False,
        comment="user that the query was generated for",
    ),
    Column("query", Text, nullable=False, comment="the query text"),
    Column(
        "item_no", ForeignKey("items.item_no"), nullable=False, comment="held-out item of the user"
    ),
    Column(
        "rank_before",
        SmallInteger,
        comment="rank of the item among the hits with the live k1, b; NULL: beyond 100",
    ),
    Column(
        "rank_after",
        SmallInteger,
        comment="rank of the item among the hits with the best k1, b; NULL: beyond 100",
    ),
    CheckConstraint("direction IN ('gained', 'lost')", name="direction"),
    Index("ix_trial_queries_user_no", "user_no"),
    comment="One row per query whose held-out item changes rank most with a trial's best k1, b.",
)
