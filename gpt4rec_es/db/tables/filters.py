"""Tables of the filters that queries go through before they are searched for, and of verdicts."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from gpt4rec_es.db.tables.base import metadata, now

query_filters = Table(
    "query_filters",
    metadata,
    Column("filters_no", Integer, Identity(), primary_key=True, comment="number of the filters"),
    Column(
        "filters_hash",
        LargeBinary,
        nullable=False,
        unique=True,
        comment="128-bit hash of the settings",
    ),
    Column(
        "settings",
        JSONB,
        nullable=False,
        comment="what is filtered, with the hash of the phrases",
    ),
    Column("phrases", ARRAY(Text), nullable=False, comment="forbidden phrases; empty: none"),
    now("created_at", "time of the first run that had them"),
    comment="One row per distinct set of query filters.",
)

query_verdicts = Table(
    "query_verdicts",
    metadata,
    Column(
        "filters_no", ForeignKey("query_filters.filters_no"), primary_key=True, comment="filters"
    ),
    Column(
        "query_no",
        ForeignKey("queries.query_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the query",
    ),
    Column("reason", Text, comment="phrase, script or unknown; NULL: it passed"),
    Column("detail", Text, comment="what was found in it; NULL: it passed"),
    Index("ix_query_verdicts_query_no", "query_no"),
    CheckConstraint("reason IN ('phrase', 'script', 'unknown')", name="reason"),
    comment="One row per filters and query that went through them.",
)
