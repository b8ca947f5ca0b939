"""Generators, prompts, queries; index builds and searches."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")
ID = sa.Text(collation="C")

# In the order in which they are made.
TABLES = (
    "generators",
    "decodings",
    "prompts",
    "generations",
    "queries",
    "generated_queries",
    "builds",
    "alias_swaps",
    "searches",
)


def upgrade() -> None:
    op.create_table(
        "generators",
        sa.Column(
            "generator_no",
            sa.Integer(),
            sa.Identity(),
            nullable=False,
            comment="number of the generator",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="name to call it by"),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="gpt2 (a checkpoint folder) or titles (no model)",
        ),
        sa.Column("path", sa.Text(), nullable=True, comment="checkpoint folder; NULL: kind titles"),
        sa.Column(
            "content_hash",
            sa.Text(),
            nullable=False,
            comment="hash of weights, configuration and tokenizer",
        ),
        sa.Column(
            "is_current",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="used by the next night",
        ),
        sa.Column(
            "card",
            postgresql.JSONB(),
            nullable=False,
            comment="training data, figures, seed and code version",
        ),
        sa.Column(
            "created_at", TIME, server_default=NOW, nullable=False, comment="time of registration"
        ),
        sa.CheckConstraint("kind IN ('gpt2', 'titles')", name=op.f("ck_generators_kind")),
        sa.PrimaryKeyConstraint("generator_no", name="pk_generators"),
        sa.UniqueConstraint("name", name="uq_generators_name"),
        comment="One row per registered query generator; at most one is current.",
    )
    op.create_index(
        "ix_generators_is_current",
        "generators",
        ["is_current"],
        unique=True,
        postgresql_where=sa.text("is_current"),
    )
    op.create_table(
        "decodings",
        sa.Column(
            "decoding_no",
            sa.Integer(),
            sa.Identity(),
            nullable=False,
            comment="number of the settings",
        ),
        sa.Column(
            "settings_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="128-bit hash of the settings",
        ),
        sa.Column(
            "settings", postgresql.JSONB(), nullable=False, comment="decoding settings by name"
        ),
        sa.PrimaryKeyConstraint("decoding_no", name="pk_decodings"),
        sa.UniqueConstraint("settings_hash", name="uq_decodings_settings_hash"),
        comment="One row per distinct set of decoding settings.",
    )
    op.create_table(
        "prompts",
        sa.Column(
            "prompt_no",
            sa.BigInteger(),
            sa.Identity(),
            nullable=False,
            comment="number of the prompt",
        ),
        sa.Column(
            "prompt_hash", sa.LargeBinary(), nullable=False, comment="128-bit hash of the text"
        ),
        sa.Column("text", sa.Text(), nullable=False, comment="what the generator reads"),
        sa.Column(
            "n_tokens",
            sa.Integer(),
            nullable=False,
            comment="length for the tokenizer that first made it; orders batches",
        ),
        sa.Column(
            "created_at",
            TIME,
            server_default=NOW,
            nullable=False,
            comment="time of the first night that needed it",
        ),
        sa.PrimaryKeyConstraint("prompt_no", name="pk_prompts"),
        sa.UniqueConstraint("prompt_hash", name="uq_prompts_prompt_hash"),
        comment="One row per distinct prompt text.",
    )
    op.create_table(
        "generations",
        sa.Column(
            "generation_no",
            sa.BigInteger(),
            sa.Identity(),
            nullable=False,
            comment="number of the generation",
        ),
        sa.Column("prompt_no", sa.BigInteger(), nullable=False, comment="read by the generator"),
        sa.Column(
            "content_hash",
            sa.Text(),
            nullable=False,
            comment="content hash of the generator that wrote it",
        ),
        sa.Column("decoding_no", sa.Integer(), nullable=False, comment="how it was decoded"),
        sa.Column(
            "n_queries", sa.SmallInteger(), nullable=False, comment="queries in generated_queries"
        ),
        sa.Column(
            "tokens_generated",
            sa.Integer(),
            nullable=False,
            comment="tokens of all hypotheses before collapsing; 0: no model",
        ),
        sa.Column(
            "created_at", TIME, server_default=NOW, nullable=False, comment="time of writing"
        ),
        sa.ForeignKeyConstraint(
            ["decoding_no"], ["decodings.decoding_no"], name="fk_generations_decoding_no_decodings"
        ),
        sa.ForeignKeyConstraint(
            ["prompt_no"], ["prompts.prompt_no"], name="fk_generations_prompt_no_prompts"
        ),
        sa.PrimaryKeyConstraint("generation_no", name="pk_generations"),
        sa.UniqueConstraint(
            "prompt_no",
            "content_hash",
            "decoding_no",
            name="uq_generations_prompt_no_content_hash_decoding_no",
        ),
        comment=(
            "One row per prompt, generator content and decoding: all queries written for one "
            "prompt."
        ),
    )
    op.create_table(
        "queries",
        sa.Column(
            "query_no",
            sa.BigInteger(),
            sa.Identity(),
            nullable=False,
            comment="number of the query text",
        ),
        sa.Column(
            "query_hash", sa.LargeBinary(), nullable=False, comment="128-bit hash of the text"
        ),
        sa.Column("text", sa.Text(), nullable=False, comment="search text: NFC, single spaces"),
        sa.Column(
            "created_at",
            TIME,
            server_default=NOW,
            nullable=False,
            comment="time it was first written",
        ),
        sa.PrimaryKeyConstraint("query_no", name="pk_queries"),
        sa.UniqueConstraint("query_hash", name="uq_queries_query_hash"),
        comment="One row per distinct query text.",
    )
    op.create_table(
        "generated_queries",
        sa.Column("generation_no", sa.BigInteger(), nullable=False, comment="the generation"),
        sa.Column("rank", sa.SmallInteger(), nullable=False, comment="1-based, by beam score"),
        sa.Column("query_no", sa.BigInteger(), nullable=False, comment="the text"),
        sa.Column(
            "sum_logprob",
            sa.REAL(),
            nullable=False,
            comment="natural-log probability of its tokens incl. the end token",
        ),
        sa.Column(
            "n_tokens", sa.SmallInteger(), nullable=False, comment="tokens incl. the end token"
        ),
        sa.ForeignKeyConstraint(
            ["generation_no"],
            ["generations.generation_no"],
            name="fk_generated_queries_generation_no_generations",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["query_no"], ["queries.query_no"], name="fk_generated_queries_query_no_queries"
        ),
        sa.PrimaryKeyConstraint("generation_no", "rank", name="pk_generated_queries"),
        comment="One row per query of a generation.",
    )
    op.create_index("ix_generated_queries_query_no", "generated_queries", ["query_no"])
    op.create_table(
        "builds",
        sa.Column(
            "build_no", sa.Integer(), sa.Identity(), nullable=False, comment="number of the build"
        ),
        sa.Column(
            "index_name", ID, nullable=False, comment="name of the concrete Elasticsearch index"
        ),
        sa.Column(
            "index_uuid",
            sa.Text(),
            nullable=True,
            comment="Elasticsearch's uuid of the index; NULL until created",
        ),
        sa.Column("alias", sa.Text(), nullable=False, comment="the stable name it was built for"),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="full (from the catalog) or derived (a clone with other k1, b)",
        ),
        sa.Column(
            "parent_build_no",
            sa.Integer(),
            nullable=True,
            comment="what a derived build was cloned from; NULL: full",
        ),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="building, ready, failed or deleted; only ready ones can be searched",
        ),
        sa.Column(
            "catalog_version",
            sa.BigInteger(),
            nullable=False,
            comment="catalog version whose items it holds",
        ),
        sa.Column(
            "document_count",
            sa.BigInteger(),
            nullable=True,
            comment="documents in it; NULL until verified",
        ),
        sa.Column("k1", sa.REAL(), nullable=False, comment="BM25 k1"),
        sa.Column("b", sa.REAL(), nullable=False, comment="BM25 b"),
        sa.Column(
            "mapping_hash",
            sa.Text(),
            nullable=False,
            comment="hash of mapping and analysis settings",
        ),
        sa.Column("actor", sa.Text(), nullable=False, comment="who asked for it"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why; NULL: not said"),
        sa.Column(
            "created_at", TIME, server_default=NOW, nullable=False, comment="start of the build"
        ),
        sa.Column("ready_at", TIME, nullable=True, comment="when it was verified; NULL: never"),
        sa.Column(
            "deleted_at",
            TIME,
            nullable=True,
            comment="when its index was deleted; NULL: it was not",
        ),
        sa.Column("error", sa.Text(), nullable=True, comment="why it failed; NULL: it did not"),
        sa.CheckConstraint("kind IN ('full', 'derived')", name=op.f("ck_builds_kind")),
        sa.CheckConstraint(
            "state IN ('building', 'ready', 'failed', 'deleted')", name=op.f("ck_builds_state")
        ),
        sa.ForeignKeyConstraint(
            ["parent_build_no"], ["builds.build_no"], name="fk_builds_parent_build_no_builds"
        ),
        sa.PrimaryKeyConstraint("build_no", name="pk_builds"),
        sa.UniqueConstraint("index_name", name="uq_builds_index_name"),
        comment=(
            "One row per index build. A ready build never changes; what is live is decided by "
            "alias_swaps."
        ),
    )
    op.create_table(
        "alias_swaps",
        sa.Column(
            "swap_no", sa.Integer(), sa.Identity(), nullable=False, comment="order of the swaps"
        ),
        sa.Column("alias", sa.Text(), nullable=False, comment="the alias that moved"),
        sa.Column("from_build_no", sa.Integer(), nullable=True, comment="live before; NULL: none"),
        sa.Column("to_build_no", sa.Integer(), nullable=False, comment="live after"),
        sa.Column("action", sa.Text(), nullable=False, comment="reindex, bm25, undo or rollback"),
        sa.Column("actor", sa.Text(), nullable=False, comment="who asked for it"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why; NULL: not said"),
        sa.Column(
            "swapped_at", TIME, server_default=NOW, nullable=False, comment="time of the swap"
        ),
        sa.ForeignKeyConstraint(
            ["from_build_no"], ["builds.build_no"], name="fk_alias_swaps_from_build_no_builds"
        ),
        sa.ForeignKeyConstraint(
            ["to_build_no"], ["builds.build_no"], name="fk_alias_swaps_to_build_no_builds"
        ),
        sa.PrimaryKeyConstraint("swap_no", name="pk_alias_swaps"),
        comment="One row per move of the alias.",
    )
    op.create_table(
        "searches",
        sa.Column("build_no", sa.Integer(), nullable=False, comment="the build searched"),
        sa.Column("query_no", sa.BigInteger(), nullable=False, comment="the text searched for"),
        sa.Column("depth", sa.Integer(), nullable=False, comment="hits asked for"),
        sa.Column(
            "item_nos", postgresql.ARRAY(sa.Integer()), nullable=False, comment="hits, best first"
        ),
        sa.Column(
            "scores",
            postgresql.ARRAY(sa.REAL()),
            nullable=False,
            comment="BM25 scores, parallel to item_nos",
        ),
        sa.Column(
            "is_exhausted", sa.Boolean(), nullable=False, comment="there are no further hits"
        ),
        sa.Column(
            "is_empty_query",
            sa.Boolean(),
            nullable=False,
            comment="no token of the text was left after analysis",
        ),
        sa.Column(
            "searched_at", TIME, server_default=NOW, nullable=False, comment="time of the search"
        ),
        sa.ForeignKeyConstraint(
            ["build_no"], ["builds.build_no"], name="fk_searches_build_no_builds"
        ),
        sa.ForeignKeyConstraint(
            ["query_no"], ["queries.query_no"], name="fk_searches_query_no_queries"
        ),
        sa.PrimaryKeyConstraint("build_no", "query_no", "depth", name="pk_searches"),
        comment="One row per search: build, query and depth.",
    )
    op.create_index("ix_searches_query_no", "searches", ["query_no"])
    op.create_index(
        "ix_searches_zero_hits",
        "searches",
        ["build_no", "query_no"],
        postgresql_where=sa.text("item_nos = '{}'"),
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO gpt4rec_writer")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
