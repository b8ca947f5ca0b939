"""Tables of trials of recipes: the best one found, the settings measured, and the comparison."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from gpt4rec_es.db.tables.base import metadata, now

list_trials = Table(
    "list_trials",
    metadata,
    Column(
        "trial_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="number of the trial, from the numbers of all trials",
    ),
    Column("split_name", Text, nullable=False, comment="split that the trial was measured on"),
    Column("split_hash", Text, nullable=False, comment="content hash of that split"),
    Column("part", Text, nullable=False, comment="validation or test"),
    Column(
        "generator_no",
        ForeignKey("generators.generator_no"),
        comment="generator that wrote the queries; NULL: the recipes had none",
    ),
    Column(
        "build_no",
        ForeignKey("builds.build_no"),
        nullable=False,
        comment="build that was live: its catalog, k1 and b were used",
    ),
    Column("metric", Text, nullable=False, comment="metric that decides: recall or ndcg"),
    Column(
        "k",
        SmallInteger,
        nullable=False,
        comment="number of items per list that it was measured at",
    ),
    Column(
        "seed",
        BigInteger,
        nullable=False,
        comment="seed of the parts of users and of drawn settings",
    ),
    Column(
        "n_fit_users",
        Integer,
        nullable=False,
        comment="number of users that the recipe was chosen on",
    ),
    Column(
        "n_test_users",
        Integer,
        nullable=False,
        comment="number of other users, on which it was compared",
    ),
    Column("live_name", Text, nullable=False, comment="name of the recipe that was live"),
    Column("live_hash", Text, nullable=False, comment="SHA-256 (hex) of the recipe that was live"),
    Column("document", JSONB, nullable=False, comment="JSON: the best recipe found"),
    Column("content_hash", Text, nullable=False, comment="SHA-256 (hex) of the best recipe found"),
    Column(
        "is_change",
        Boolean,
        nullable=False,
        comment="whether it is better than the live one by more than chance",
    ),
    Column("verdict", Text, nullable=False, comment="the recommendation, in words"),
    Column(
        "seconds",
        REAL,
        nullable=False,
        comment="duration of the trial in seconds, without generation",
    ),
    Column("actor", Text, nullable=False, comment="operator that started the trial (login name)"),
    Column("code_version", Text, nullable=False, comment="version of the code that measured"),
    now("tuned_at", "time the trial was stored"),
    Column(
        "field_bm25",
        JSONB(none_as_null=True),
        comment=(
            "JSON: [k1, b] by field, of those with other values than in the live build; NULL: none"
        ),
    ),
    comment="One row per trial of recipes: the best one found on some users, compared with "
    "the live one on others.",
)

list_trial_settings = Table(
    "list_trial_settings",
    metadata,
    Column(
        "trial_no",
        ForeignKey("list_trials.trial_no", ondelete="CASCADE"),
        primary_key=True,
        comment="number of the trial",
    ),
    Column(
        "setting_no",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="order of the settings, from 1",
    ),
    Column(
        "is_fitted",
        Boolean,
        nullable=False,
        comment="whether coefficients were fitted; false: those of the recipe that the trial "
        "began with",
    ),
    Column(
        "pair_decay",
        Double,
        nullable=False,
        comment="factor by which a pair's weight decreases per basket between its two purchases",
    ),
    Column(
        "pair_backward",
        Double,
        nullable=False,
        comment="weight factor of a pair for an item bought before the other",
    ),
    Column(
        "pair_popularity",
        Double,
        nullable=False,
        comment="p: share of the normalising exponent that is applied to the neighbour's buyers",
    ),
    Column(
        "pair_damping",
        Double,
        nullable=False,
        comment="d: number added to the item's own buyers when normalising",
    ),
    Column(
        "history_decay",
        Double,
        nullable=False,
        comment="factor by which each older purchase counts less",
    ),
    Column(
        "value",
        Double,
        nullable=False,
        comment="mean of the trial's metric on users that the coefficients were not fitted on",
    ),
    Column(
        "num_queries",
        Integer,
        comment="number of first queries of a user that are searched; NULL: an older trial",
    ),
    Column(
        "query_decay",
        Double,
        comment="factor by which each lower-ranked query counts less; NULL: an older trial",
    ),
    Column(
        "query_hits",
        Integer,
        comment="number of hits that are counted per query; NULL: an older trial",
    ),
    Column(
        "candidates",
        Integer,
        comment="number of candidates per source, and of hits per title; NULL: an older trial",
    ),
    Column(
        "history",
        Integer,
        comment="number of newest purchases of a user that are used; NULL: an older trial",
    ),
    Column(
        "neighbours",
        Integer,
        comment="number of neighbours that are kept per item; NULL: an older trial",
    ),
    Column(
        "has_reranker",
        Boolean,
        comment="whether a re-ranker's score is one of the fitted features; NULL: an older trial",
    ),
    Column(
        "has_sequence",
        Boolean,
        comment="whether the best items of a re-ranker are a source; NULL: an older trial",
    ),
    Column(
        "has_vectors",
        Boolean,
        comment="whether texts are searched by vectors, too; NULL: an older trial",
    ),
    comment="One row per setting that a trial of recipes measured.",
)

list_trial_comparisons = Table(
    "list_trial_comparisons",
    metadata,
    Column(
        "trial_no",
        ForeignKey("list_trials.trial_no", ondelete="CASCADE"),
        primary_key=True,
        comment="number of the trial",
    ),
    Column(
        "k", SmallInteger, primary_key=True, autoincrement=False, comment="number of items per list"
    ),
    Column(
        "metric",
        Text,
        primary_key=True,
        autoincrement=False,
        comment="recall, ndcg, hit_rate or mrr",
    ),
    Column("live_value", Double, nullable=False, comment="mean by the recipe that was live"),
    Column("best_value", Double, nullable=False, comment="mean by the best recipe found"),
    Column("gain", Double, nullable=False, comment="mean difference, best minus live"),
    Column("gain_low", Double, nullable=False, comment="lower end of its paired 95 % interval"),
    Column("gain_high", Double, nullable=False, comment="upper end of its paired 95 % interval"),
    Column(
        "p_value",
        Double,
        nullable=False,
        comment="two-sided p-value of a paired permutation test, not adjusted for several metrics",
    ),
    Column(
        "segment",
        Text,
        primary_key=True,
        autoincrement=False,
        comment="group of users; all: every user",
    ),
    Column(
        "n_users",
        Integer,
        comment="number of users of the segment; NULL: an older trial, of all its test users",
    ),
    comment="One row per metric and segment of the best recipe of a trial and the one that was "
    "live, on users that were not used for choosing.",
)
