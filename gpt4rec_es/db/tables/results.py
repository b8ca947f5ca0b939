"""Tables of a run's input and result per user, one partition per run where they are large."""

from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
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
    Column("run_no", Integer, primary_key=True, autoincrement=False, comment="the run"),
    Column("user_no", Integer, primary_key=True, autoincrement=False, comment="the user"),
    Column("prompt_no", BigInteger, comment="the prompt; NULL: no usable history"),
    Column(
        "item_nos",
        ARRAY(Integer),
        nullable=False,
        comment="items whose titles are in the prompt, oldest first",
    ),
    Column(
        "n_bought", Integer, nullable=False, comment="distinct items bought up to the run's cut-off"
    ),
    Column(
        "last_query_no",
        BigInteger,
        comment="newest bought title as a query, for the fallback; NULL: none",
    ),
    comment="One row per run and cohort user, frozen at planning. One partition per run.",
    postgresql_partition_by="LIST (run_no)",
)

run_popular = Table(
    "run_popular",
    metadata,
    Column(
        "run_no", ForeignKey("runs.run_no", ondelete="CASCADE"), primary_key=True, comment="the run"
    ),
    Column(
        "rank",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="1-based, by buyers, then item id",
    ),
    Column("item_no", Integer, nullable=False, comment="the item, active at planning"),
    Column("n_buyers", Integer, nullable=False, comment="users who bought it up to the cut-off"),
    comment="One row per run and popular item: the last fallback, frozen at planning.",
)

user_outcomes = Table(
    "user_outcomes",
    metadata,
    Column("run_no", Integer, primary_key=True, autoincrement=False, comment="the run"),
    Column("user_no", Integer, primary_key=True, autoincrement=False, comment="the user"),
    Column(
        "outcome",
        Text,
        nullable=False,
        comment="ok, no_history, no_titles, empty_query, no_hits or failed",
    ),
    Column("n_queries", SmallInteger, nullable=False, comment="generated queries that were used"),
    Column(
        "n_found",
        SmallInteger,
        nullable=False,
        comment="recommendations that the run's sources found, before fallbacks",
    ),
    Column("n_recommended", SmallInteger, nullable=False, comment="recommendations in all"),
    Column("short_reason", Text, comment="why n_found is below k; NULL: it is not"),
    Column("error", Text, comment="what failed; NULL: nothing"),
    CheckConstraint(
        "outcome IN ('ok', 'no_history', 'no_titles', 'empty_query', 'no_hits', 'failed')",
        name="outcome",
    ),
    comment="One row per run and user: what became of the user. One partition per run.",
    postgresql_partition_by="LIST (run_no)",
)

recommendations = Table(
    "recommendations",
    metadata,
    Column("run_no", Integer, primary_key=True, autoincrement=False, comment="the run"),
    Column("user_no", Integer, primary_key=True, autoincrement=False, comment="the user"),
    Column(
        "rank",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="1-based place in the list",
    ),
    Column("item_no", Integer, nullable=False, comment="the item"),
    Column(
        "source",
        Text,
        nullable=False,
        comment="queries, co_purchase, history_titles, backfill, last_title or popular",
    ),
    Column("query_no", BigInteger, comment="the query that found it; NULL: co_purchase, popular"),
    Column(
        "query_rank",
        SmallInteger,
        comment="rank of that query in the generation; NULL: it was not generated, or none",
    ),
    Column(
        "hit_rank",
        Integer,
        comment=(
            "1-based place among that query's hits (co_purchase: among the neighbours of "
            "from_item_no); NULL: popular"
        ),
    ),
    Column(
        "score",
        REAL,
        comment=(
            "BM25 score of that hit, not comparable between queries (co_purchase: similarity); "
            "NULL: popular"
        ),
    ),
    Column(
        "from_item_no",
        Integer,
        comment=(
            "bought item that it is a neighbour of (co_purchase), or whose title found it "
            "(history_titles); NULL: other sources"
        ),
    ),
    Column(
        "fused_score",
        REAL,
        comment="weighted sum over the run's sources; NULL: fallback, or queries alone",
    ),
    UniqueConstraint("run_no", "user_no", "item_no"),
    CheckConstraint(
        "source IN ('queries', 'co_purchase', 'history_titles', "
        "'backfill', 'last_title', 'popular')",
        name="source",
    ),
    comment="One row per run, user and rank. One partition per run.",
    postgresql_partition_by="LIST (run_no)",
)
