"""Tables of generators, and of prompts and the queries written for them."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
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
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from gpt4rec_es.db.tables.base import metadata, now

generators = Table(
    "generators",
    metadata,
    Column(
        "generator_no", Integer, Identity(), primary_key=True, comment="number of the generator"
    ),
    Column("name", Text, nullable=False, unique=True, comment="name to call it by"),
    Column("kind", Text, nullable=False, comment="gpt2 (a checkpoint folder) or titles (no model)"),
    Column("path", Text, comment="checkpoint folder; NULL: kind titles"),
    Column(
        "content_hash", Text, nullable=False, comment="hash of weights, configuration and tokenizer"
    ),
    Column(
        "is_current",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="used by the next night",
    ),
    Column("card", JSONB, nullable=False, comment="training data, figures, seed and code version"),
    now("created_at", "time of registration"),
    Index(
        "ix_generators_is_current", "is_current", unique=True, postgresql_where=text("is_current")
    ),
    CheckConstraint("kind IN ('gpt2', 'titles')", name="kind"),
    comment="One row per registered query generator; at most one is current.",
)

decodings = Table(
    "decodings",
    metadata,
    Column("decoding_no", Integer, Identity(), primary_key=True, comment="number of the settings"),
    Column(
        "settings_hash",
        LargeBinary,
        nullable=False,
        unique=True,
        comment="128-bit hash of the settings",
    ),
    Column("settings", JSONB, nullable=False, comment="decoding settings by name"),
    comment="One row per distinct set of decoding settings.",
)

prompts = Table(
    "prompts",
    metadata,
    Column("prompt_no", BigInteger, Identity(), primary_key=True, comment="number of the prompt"),
    Column(
        "prompt_hash", LargeBinary, nullable=False, unique=True, comment="128-bit hash of the text"
    ),
    Column("text", Text, nullable=False, comment="what the generator reads"),
    Column(
        "n_tokens",
        Integer,
        nullable=False,
        comment="length for the tokenizer that first made it; orders batches",
    ),
    now("created_at", "time of the first night that needed it"),
    comment="One row per distinct prompt text.",
)

generations = Table(
    "generations",
    metadata,
    Column(
        "generation_no",
        BigInteger,
        Identity(),
        primary_key=True,
        comment="number of the generation",
    ),
    Column(
        "prompt_no",
        ForeignKey("prompts.prompt_no"),
        nullable=False,
        comment="read by the generator",
    ),
    Column(
        "content_hash", Text, nullable=False, comment="content hash of the generator that wrote it"
    ),
    Column(
        "decoding_no",
        ForeignKey("decodings.decoding_no"),
        nullable=False,
        comment="how it was decoded",
    ),
    Column("n_queries", SmallInteger, nullable=False, comment="queries in generated_queries"),
    Column(
        "tokens_generated",
        Integer,
        nullable=False,
        comment="tokens of all hypotheses before collapsing; 0: no model",
    ),
    now("created_at", "time of writing"),
    UniqueConstraint("prompt_no", "content_hash", "decoding_no"),
    comment=(
        "One row per prompt, generator content and decoding: all queries written for one prompt."
    ),
)

queries = Table(
    "queries",
    metadata,
    Column(
        "query_no", BigInteger, Identity(), primary_key=True, comment="number of the query text"
    ),
    Column(
        "query_hash", LargeBinary, nullable=False, unique=True, comment="128-bit hash of the text"
    ),
    Column("text", Text, nullable=False, comment="search text: NFC, single spaces"),
    now("created_at", "time it was first written"),
    Index(
        "ix_queries_words", text("to_tsvector('simple'::regconfig, text)"), postgresql_using="gin"
    ),
    comment="One row per distinct query text.",
)

generated_queries = Table(
    "generated_queries",
    metadata,
    Column(
        "generation_no",
        ForeignKey("generations.generation_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the generation",
    ),
    Column(
        "rank",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="1-based, by beam score",
    ),
    Column("query_no", ForeignKey("queries.query_no"), nullable=False, comment="the text"),
    Column(
        "sum_logprob",
        REAL,
        nullable=False,
        comment="natural-log probability of its tokens incl. the end token",
    ),
    Column("n_tokens", SmallInteger, nullable=False, comment="tokens incl. the end token"),
    Index("ix_generated_queries_query_no", "query_no"),
    comment="One row per query of a generation.",
)
