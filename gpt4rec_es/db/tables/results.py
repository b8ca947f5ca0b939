"""Tables of a run's inputs and results per user; large ones have one partition per run."""

from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gpt4rec_es.db.tables.base import metadata

run_users = Table(
    "run_users",
    metadata,
    Column(
        "run_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="run that the row was frozen for",
    ),
    Column("user_no", Integer, primary_key=True, autoincrement=False, comment="user of the run"),
    Column("prompt_no", BigInteger, comment="prompt of the user; NULL: no usable history"),
    Column(
        "item_nos",
        ARRAY(Integer),
        nullable=False,
        comment="items whose titles are in the user's prompt, oldest first",
    ),
    Column(
        "n_bought",
        Integer,
        nullable=False,
        comment="number of distinct items that the user bought up to the run's cut-off",
    ),
    Column(
        "last_query_no",
        BigInteger,
        comment="newest bought title as a query, for the fallback last_title; NULL: none",
    ),
    Column(
        "newest_item_nos",
        ARRAY(Integer),
        nullable=False,
        server_default="{}",
        comment="newest bought items, newest first, for the sources other than queries",
    ),
    Index("ix_run_users_prompt_no", "prompt_no"),
    comment="One row per run and cohort user, frozen at planning. One partition per run.",
    postgresql_partition_by="LIST (run_no)",
)

user_outcomes = Table(
    "user_outcomes",
    metadata,
    Column(
        "run_no", Integer, primary_key=True, autoincrement=False, comment="run that made the row"
    ),
    Column("user_no", Integer, primary_key=True, autoincrement=False, comment="user of the run"),
    Column(
        "outcome",
        Text,
        nullable=False,
        comment="ok, no_history, no_titles, empty_query, no_hits, held_back or failed",
    ),
    Column(
        "n_queries",
        SmallInteger,
        nullable=False,
        comment="number of generated queries that were used",
    ),
    Column(
        "n_found",
        SmallInteger,
        nullable=False,
        comment="number of recommendations that the run's sources found, before fallbacks",
    ),
    Column(
        "n_recommended",
        SmallInteger,
        nullable=False,
        comment="number of recommendations, fallbacks included",
    ),
    Column(
        "short_reason",
        Text,
        comment=(
            "reason that n_found and n_pinned together are below the run's k; NULL: they are not"
        ),
    ),
    Column("error", Text, comment="error message for this user; NULL: none"),
    Column(
        "n_pinned",
        SmallInteger,
        nullable=False,
        server_default="0",
        comment="number of recommendations that rules pinned",
    ),
    CheckConstraint(
        "outcome IN ('ok', 'no_history', 'no_titles', 'empty_query', 'no_hits', 'held_back', "
        "'failed')",
        name="outcome",
    ),
    comment="One row per run and user: the outcome for the user. One partition per run.",
    postgresql_partition_by="LIST (run_no)",
)

recommendations = Table(
    "recommendations",
    metadata,
    Column(
        "run_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="run that made the recommendation",
    ),
    Column(
        "user_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="user that the item is recommended to",
    ),
    Column(
        "rank",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="1-based rank in the user's list",
    ),
    Column("item_no", Integer, nullable=False, comment="recommended item"),
    Column(
        "source",
        Text,
        nullable=False,
        comment=(
            "pinned, queries, co_purchase, history_titles, sequence, query_vectors, title_vectors, "
            "backfill, last_title or popular"
        ),
    ),
    Column(
        "query_no",
        BigInteger,
        comment=(
            "query that found the item; NULL: source is co_purchase, sequence, popular or pinned"
        ),
    ),
    Column(
        "query_rank",
        SmallInteger,
        comment=(
            "rank of that query in its generation; NULL: the query was not generated, or "
            "there is none"
        ),
    ),
    Column(
        "hit_rank",
        Integer,
        comment=(
            "1-based rank among the hits of the query (co_purchase: among the neighbours "
            "of from_item_no; sequence: among the items that the list may have); NULL: source is "
            "popular or pinned"
        ),
    ),
    Column(
        "score",
        REAL,
        comment=(
            "BM25 score of the hit, not comparable between queries (co_purchase: "
            "similarity; query_vectors and title_vectors: cosine of the two texts' vectors; "
            "sequence: score of the re-ranker); NULL: source is popular or pinned"
        ),
    ),
    Column(
        "from_item_no",
        Integer,
        comment=(
            "bought item whose neighbour the item is (co_purchase), whose title found it "
            "(history_titles, title_vectors) or that ends the sequence of purchases that found it "
            "(sequence); NULL: other sources"
        ),
    ),
    Column(
        "fused_score",
        REAL,
        comment=(
            "weighted sum of the scores of the run's sources, with boosts; NULL: fallback, "
            "pinned, or queries are the only source"
        ),
    ),
    Column(
        "promoted_by",
        Text,
        comment="name of the rule that pinned the item or moved it up; NULL: none did",
    ),
    Column(
        "merge_rank",
        Integer,
        comment=(
            "1-based rank that the item has among the user's candidates without the re-ranker; "
            "NULL: pinned, fallback, or no re-ranker"
        ),
    ),
    Column(
        "rerank_score",
        REAL,
        comment=(
            "score of the item by the re-ranker, minus its mean over the user's candidates; NULL: "
            "pinned, fallback, or no re-ranker"
        ),
    ),
    UniqueConstraint("run_no", "user_no", "item_no"),
    CheckConstraint(
        "source IN ('pinned', 'queries', 'co_purchase', 'history_titles', "
        "'backfill', 'last_title', 'popular', 'sequence', 'query_vectors', 'title_vectors')",
        name="source",
    ),
    comment="One row per run, user and rank. One partition per run.",
    postgresql_partition_by="LIST (run_no)",
)
