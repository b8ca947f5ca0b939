"""Tables of encoders, and of the vectors that they made of titles."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)

from gpt4rec_es.db.tables.base import at, metadata, now

encoders = Table(
    "encoders",
    metadata,
    Column("encoder_no", Integer, Identity(), primary_key=True, comment="number of the encoder"),
    Column("name", Text, nullable=False, comment="name; unique among encoders not removed"),
    Column(
        "kind",
        Text,
        nullable=False,
        comment="folder (sentence-transformers), static (token vectors), generator or reranker",
    ),
    Column(
        "content_hash", Text, nullable=False, comment="hash of all files that decide its vectors"
    ),
    Column("dims", SmallInteger, nullable=False, comment="number of components of a vector"),
    Column("path", Text, comment="its folder or file; NULL: that of its network"),
    Column("source", Text, comment="name of its generator or re-ranker; NULL: it is made of none"),
    Column("actor", Text, nullable=False, comment="operator that registered it (login name)"),
    now("created_at", "time the encoder was registered"),
    at("removed_at", "time it was removed, with its vectors; NULL: it was not"),
    CheckConstraint("kind IN ('folder', 'static', 'generator', 'reranker')", name="kind"),
    Index("ix_encoders_name", "name", unique=True, postgresql_where=text("removed_at IS NULL")),
    comment="One row per registered encoder, which makes vectors of titles and queries.",
)

title_vectors = Table(
    "title_vectors",
    metadata,
    Column(
        "encoder_no",
        ForeignKey("encoders.encoder_no"),
        primary_key=True,
        comment="encoder that made the vector",
    ),
    Column(
        "title_hash",
        LargeBinary,
        primary_key=True,
        comment="128-bit hash of the part of a title that is encoded, its first 64 words",
    ),
    Column(
        "vector",
        LargeBinary,
        nullable=False,
        comment="float32 components, lowest byte first, of length 1 or all 0",
    ),
    comment="One row per encoder and distinct title: no title is encoded twice.",
)
