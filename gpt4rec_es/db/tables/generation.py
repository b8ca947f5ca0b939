"""Tables of generators, prompts and generated queries."""

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
    Column("name", Text, nullable=False, unique=True, comment="unique name of the generator"),
    Column(
        "kind",
        Text,
        nullable=False,
        comment="gpt2 (a checkpoint folder), endpoint (a server) or titles (no model)",
    ),
    Column(
        "path",
        Text,
        comment="checkpoint folder, or URL of the endpoint with its options; NULL: kind is titles",
    ),
    Column(
        "content_hash",
        Text,
        nullable=False,
        comment="hash of weights, configuration and tokenizer, or of what an endpoint answers",
    ),
    Column(
        "is_current",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="whether the next nightly run uses this generator",
    ),
    Column(
        "card", JSONB, nullable=False, comment="JSON: training data, metrics, seed and code version"
    ),
    now("created_at", "time the generator was registered"),
    Index(
        "ix_generators_is_current", "is_current", unique=True, postgresql_where=text("is_current")
    ),
    CheckConstraint("kind IN ('gpt2', 'endpoint', 'titles')", name="kind"),
    comment="One row per registered query generator; at most one is current.",
)

decodings = Table(
    "decodings",
    metadata,
    Column(
        "decoding_no",
        Integer,
        Identity(),
        primary_key=True,
        comment="number of the decoding settings",
    ),
    Column(
        "settings_hash",
        LargeBinary,
        nullable=False,
        unique=True,
        comment="128-bit hash of the decoding settings",
    ),
    Column("settings", JSONB, nullable=False, comment="JSON: decoding settings by name"),
    comment="One row per distinct set of decoding settings.",
)

prompts = Table(
    "prompts",
    metadata,
    Column("prompt_no", BigInteger, Identity(), primary_key=True, comment="number of the prompt"),
    Column(
        "prompt_hash",
        LargeBinary,
        nullable=False,
        unique=True,
        comment="128-bit hash of the prompt text",
    ),
    Column("text", Text, nullable=False, comment="prompt text, the generator's input"),
    Column(
        "n_tokens",
        Integer,
        nullable=False,
        comment=(
            "number of tokens by the tokenizer of the first run that needed the prompt; "
            "batches are sorted by it"
        ),
    ),
    now("created_at", "time the first run that needed the prompt was planned"),
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
        comment="prompt that the generator read",
    ),
    Column(
        "content_hash",
        Text,
        nullable=False,
        comment="content hash of the generator that wrote the queries",
    ),
    Column(
        "decoding_no",
        ForeignKey("decodings.decoding_no"),
        nullable=False,
        comment="decoding settings of the generation",
    ),
    Column(
        "n_queries", SmallInteger, nullable=False, comment="number of its rows in generated_queries"
    ),
    Column(
        "tokens_generated",
        Integer,
        nullable=False,
        comment=(
            "number of tokens of all hypotheses, before equal queries are merged; 0: no "
            "language model"
        ),
    ),
    now("created_at", "time the generation was stored"),
    UniqueConstraint("prompt_no", "content_hash", "decoding_no"),
    comment=(
        "One row per prompt, generator content and decoding: all queries generated for one prompt."
    ),
)

queries = Table(
    "queries",
    metadata,
    Column(
        "query_no", BigInteger, Identity(), primary_key=True, comment="number of the query text"
    ),
    Column(
        "query_hash",
        LargeBinary,
        nullable=False,
        unique=True,
        comment="128-bit hash of the query text",
    ),
    Column("text", Text, nullable=False, comment="query text, Unicode NFC with single spaces"),
    now("created_at", "time the query text was first stored"),
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
        comment="generation that the query belongs to",
    ),
    Column(
        "rank",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="1-based rank of the query in its generation, by the score that decoding asks for",
    ),
    Column("query_no", ForeignKey("queries.query_no"), nullable=False, comment="text of the query"),
    Column(
        "sum_logprob",
        REAL,
        nullable=False,
        comment="natural-log probability of the query's tokens, end token included",
    ),
    Column(
        "n_tokens",
        SmallInteger,
        nullable=False,
        comment="number of tokens of the query, end token included",
    ),
    Column(
        "prior_logprob",
        REAL,
        comment=(
            "natural-log probability of the query's tokens after a prompt without titles; "
            "NULL: prior_weight is 0, or no language model"
        ),
    ),
    Index("ix_generated_queries_query_no", "query_no"),
    comment="One row per query of a generation.",
)
