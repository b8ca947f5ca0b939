"""Runs, their shards, input, results and publication; audit."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")
ID = sa.Text(collation="C")

# In the order in which they are made.
TABLES = (
    "runs",
    "shards",
    "gate_results",
    "publications",
    "run_users",
    "run_popular",
    "user_outcomes",
    "recommendations",
)


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column(
            "run_no", sa.Integer(), sa.Identity(), nullable=False, comment="number of the run"
        ),
        sa.Column(
            "run_id",
            ID,
            nullable=False,
            comment="name: kind, date and attempt, as nightly-2026-11-22-1",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="nightly"),
        sa.Column(
            "logical_date",
            sa.Date(),
            nullable=False,
            comment="the date it recommends for, in the schedule's time zone",
        ),
        sa.Column(
            "attempt",
            sa.SmallInteger(),
            nullable=False,
            comment="1-based count of runs of that kind and date",
        ),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment=(
                "planned, generating, searching, merging, checking; then published, rejected (a "
                "gate), failed, cancelled or superseded"
            ),
        ),
        sa.Column(
            "manifest",
            postgresql.JSONB(),
            nullable=False,
            comment="everything the result depends on, frozen at planning",
        ),
        sa.Column(
            "manifest_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="128-bit hash of the manifest",
        ),
        sa.Column(
            "build_no", sa.Integer(), nullable=False, comment="the build it searches, pinned"
        ),
        sa.Column("generator_no", sa.Integer(), nullable=False, comment="the generator"),
        sa.Column("decoding_no", sa.Integer(), nullable=False, comment="the decoding settings"),
        sa.Column("k", sa.SmallInteger(), nullable=False, comment="items per user"),
        sa.Column(
            "depth", sa.Integer(), nullable=False, comment="hits asked for per query at first"
        ),
        sa.Column(
            "history_version",
            sa.BigInteger(),
            nullable=False,
            comment="interactions up to this version are its input",
        ),
        sa.Column("cohort_size", sa.Integer(), nullable=False, comment="users in it"),
        sa.Column(
            "code_version",
            sa.Text(),
            nullable=False,
            comment="the code that planned it; workers of other code decline",
        ),
        sa.Column("actor", sa.Text(), nullable=False, comment="who started it"),
        sa.Column(
            "planned_at", TIME, server_default=NOW, nullable=False, comment="time of planning"
        ),
        sa.Column(
            "finished_at", TIME, nullable=True, comment="time it came to its end; NULL: not yet"
        ),
        sa.Column(
            "error",
            sa.Text(),
            nullable=True,
            comment="why it failed or was rejected; NULL: it was not",
        ),
        sa.CheckConstraint(
            (
                "state IN ('planned', 'generating', 'searching', 'merging', 'checking', "
                "'published', 'rejected', 'failed', 'cancelled', 'superseded')"
            ),
            name=op.f("ck_runs_state"),
        ),
        sa.ForeignKeyConstraint(["build_no"], ["builds.build_no"], name="fk_runs_build_no_builds"),
        sa.ForeignKeyConstraint(
            ["decoding_no"], ["decodings.decoding_no"], name="fk_runs_decoding_no_decodings"
        ),
        sa.ForeignKeyConstraint(
            ["generator_no"], ["generators.generator_no"], name="fk_runs_generator_no_generators"
        ),
        sa.PrimaryKeyConstraint("run_no", name="pk_runs"),
        sa.UniqueConstraint(
            "kind", "logical_date", "attempt", name="uq_runs_kind_logical_date_attempt"
        ),
        sa.UniqueConstraint("run_id", name="uq_runs_run_id"),
        comment="One row per run; at most one unfinished per kind.",
    )
    op.create_index(
        "ix_runs_unfinished",
        "runs",
        ["kind"],
        unique=True,
        postgresql_where=sa.text(
            "state IN ('planned', 'generating', 'searching', 'merging', 'checking')"
        ),
    )
    op.create_table(
        "shards",
        sa.Column(
            "shard_no",
            sa.BigInteger(),
            sa.Identity(),
            nullable=False,
            comment="number of the shard",
        ),
        sa.Column("run_no", sa.Integer(), nullable=False, comment="the run"),
        sa.Column("stage", sa.Text(), nullable=False, comment="generate, search or merge"),
        sa.Column(
            "members",
            postgresql.ARRAY(sa.BigInteger()),
            nullable=False,
            comment="prompt, query or user numbers in frozen order",
        ),
        sa.Column(
            "state",
            sa.Text(),
            server_default=sa.text("'ready'"),
            nullable=False,
            comment="ready, leased, done or split",
        ),
        sa.Column(
            "parent_shard_no",
            sa.BigInteger(),
            nullable=True,
            comment="the shard it was split from; NULL: planned",
        ),
        sa.Column(
            "attempt",
            sa.SmallInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="times it was claimed",
        ),
        sa.Column(
            "failures",
            sa.SmallInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="attempts that ended in an error of its own or a lost lease",
        ),
        sa.Column(
            "owner",
            sa.Text(),
            nullable=True,
            comment="who holds or held the lease; NULL: nobody yet",
        ),
        sa.Column(
            "token",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="fencing token: raised by each claim",
        ),
        sa.Column(
            "lease_until",
            TIME,
            nullable=True,
            comment="end of the lease by the database's clock; NULL: never leased",
        ),
        sa.Column(
            "available_at", TIME, nullable=True, comment="not to be claimed before; NULL: at once"
        ),
        sa.Column("finished_at", TIME, nullable=True, comment="time it was done; NULL: not yet"),
        sa.Column("n_rows", sa.Integer(), nullable=True, comment="rows stored; NULL until done"),
        sa.Column("error", sa.Text(), nullable=True, comment="last error; NULL: none"),
        sa.CheckConstraint(
            "stage IN ('generate', 'search', 'merge')", name=op.f("ck_shards_stage")
        ),
        sa.CheckConstraint(
            "state IN ('ready', 'leased', 'done', 'split')", name=op.f("ck_shards_state")
        ),
        sa.ForeignKeyConstraint(
            ["run_no"], ["runs.run_no"], name="fk_shards_run_no_runs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("shard_no", name="pk_shards"),
        comment=(
            "One row per shard: a frozen batch list of a run, written by whoever holds its lease "
            "and token."
        ),
    )
    op.create_index(
        "ix_shards_open",
        "shards",
        ["run_no", "stage", "shard_no"],
        postgresql_where=sa.text("state IN ('ready', 'leased')"),
    )
    op.create_table(
        "gate_results",
        sa.Column("run_no", sa.Integer(), nullable=False, comment="the run"),
        sa.Column("gate", sa.Text(), nullable=False, comment="name of the gate"),
        sa.Column("passed", sa.Boolean(), nullable=False, comment="whether it let the run pass"),
        sa.Column("measured", sa.Text(), nullable=False, comment="what was measured"),
        sa.Column("required", sa.Text(), nullable=False, comment="what was asked"),
        sa.Column(
            "checked_at", TIME, server_default=NOW, nullable=False, comment="time of the check"
        ),
        sa.ForeignKeyConstraint(
            ["run_no"], ["runs.run_no"], name="fk_gate_results_run_no_runs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_no", "gate", name="pk_gate_results"),
        comment="One row per run and gate: the last check before publishing.",
    )
    op.create_table(
        "publications",
        sa.Column("kind", sa.Text(), nullable=False, comment="kind of run"),
        sa.Column("run_no", sa.Integer(), nullable=False, comment="the run that readers see"),
        sa.Column(
            "previous_run_no", sa.Integer(), nullable=True, comment="seen before it; NULL: none"
        ),
        sa.Column(
            "published_at",
            TIME,
            server_default=NOW,
            nullable=False,
            comment="time the pointer moved",
        ),
        sa.ForeignKeyConstraint(
            ["previous_run_no"], ["runs.run_no"], name="fk_publications_previous_run_no_runs"
        ),
        sa.ForeignKeyConstraint(["run_no"], ["runs.run_no"], name="fk_publications_run_no_runs"),
        sa.PrimaryKeyConstraint("kind", name="pk_publications"),
        comment="One row per kind: the pointer that publishing moves.",
    )
    op.create_table(
        "audit",
        sa.Column(
            "audit_no",
            sa.BigInteger(),
            sa.Identity(),
            nullable=False,
            comment="order of the entries",
        ),
        sa.Column("at", TIME, server_default=NOW, nullable=False, comment="time"),
        sa.Column("actor", sa.Text(), nullable=False, comment="who"),
        sa.Column(
            "action",
            sa.Text(),
            nullable=False,
            comment="what was done, as publish, force_publish, rollback, bm25_set",
        ),
        sa.Column("object", sa.Text(), nullable=False, comment="to what"),
        sa.Column("before", postgresql.JSONB(), nullable=True, comment="state before; NULL: none"),
        sa.Column("after", postgresql.JSONB(), nullable=True, comment="state after; NULL: none"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why; NULL: not said"),
        sa.PrimaryKeyConstraint("audit_no", name="pk_audit"),
        comment="Append-only: one row per act that people may ask about.",
    )
    op.create_table(
        "run_users",
        sa.Column("run_no", sa.Integer(), nullable=False, comment="the run"),
        sa.Column("user_no", sa.Integer(), nullable=False, comment="the user"),
        sa.Column(
            "prompt_no",
            sa.BigInteger(),
            nullable=True,
            comment="the prompt; NULL: no usable history",
        ),
        sa.Column(
            "item_nos",
            postgresql.ARRAY(sa.Integer()),
            nullable=False,
            comment="items whose titles are in the prompt, oldest first",
        ),
        sa.Column(
            "n_bought",
            sa.Integer(),
            nullable=False,
            comment="distinct items bought up to the run's cut-off",
        ),
        sa.Column(
            "last_query_no",
            sa.BigInteger(),
            nullable=True,
            comment="newest bought title as a query, for the fallback; NULL: none",
        ),
        sa.PrimaryKeyConstraint("run_no", "user_no", name="pk_run_users"),
        comment="One row per run and cohort user, frozen at planning. One partition per run.",
        postgresql_partition_by="LIST (run_no)",
    )
    op.create_table(
        "run_popular",
        sa.Column("run_no", sa.Integer(), nullable=False, comment="the run"),
        sa.Column("rank", sa.Integer(), nullable=False, comment="1-based, by buyers, then item id"),
        sa.Column("item_no", sa.Integer(), nullable=False, comment="the item, active at planning"),
        sa.Column(
            "n_buyers",
            sa.Integer(),
            nullable=False,
            comment="users who bought it up to the cut-off",
        ),
        sa.ForeignKeyConstraint(
            ["run_no"], ["runs.run_no"], name="fk_run_popular_run_no_runs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_no", "rank", name="pk_run_popular"),
        comment="One row per run and popular item: the last fallback, frozen at planning.",
    )
    op.create_table(
        "user_outcomes",
        sa.Column("run_no", sa.Integer(), nullable=False, comment="the run"),
        sa.Column("user_no", sa.Integer(), nullable=False, comment="the user"),
        sa.Column(
            "outcome",
            sa.Text(),
            nullable=False,
            comment="ok, no_history, no_titles, empty_query, no_hits or failed",
        ),
        sa.Column(
            "n_queries",
            sa.SmallInteger(),
            nullable=False,
            comment="generated queries that were used",
        ),
        sa.Column(
            "n_found",
            sa.SmallInteger(),
            nullable=False,
            comment="recommendations that generated queries found, before fallbacks",
        ),
        sa.Column(
            "n_recommended", sa.SmallInteger(), nullable=False, comment="recommendations in all"
        ),
        sa.Column(
            "short_reason",
            sa.Text(),
            nullable=True,
            comment="why n_found is below k; NULL: it is not",
        ),
        sa.Column("error", sa.Text(), nullable=True, comment="what failed; NULL: nothing"),
        sa.CheckConstraint(
            "outcome IN ('ok', 'no_history', 'no_titles', 'empty_query', 'no_hits', 'failed')",
            name=op.f("ck_user_outcomes_outcome"),
        ),
        sa.PrimaryKeyConstraint("run_no", "user_no", name="pk_user_outcomes"),
        comment="One row per run and user: what became of the user. One partition per run.",
        postgresql_partition_by="LIST (run_no)",
    )
    op.create_table(
        "recommendations",
        sa.Column("run_no", sa.Integer(), nullable=False, comment="the run"),
        sa.Column("user_no", sa.Integer(), nullable=False, comment="the user"),
        sa.Column("rank", sa.SmallInteger(), nullable=False, comment="1-based place in the list"),
        sa.Column("item_no", sa.Integer(), nullable=False, comment="the item"),
        sa.Column(
            "source", sa.Text(), nullable=False, comment="query, backfill, last_title or popular"
        ),
        sa.Column(
            "query_no",
            sa.BigInteger(),
            nullable=True,
            comment="the query that found it; NULL: popular",
        ),
        sa.Column(
            "query_rank",
            sa.SmallInteger(),
            nullable=True,
            comment="rank of that query in the generation; NULL: last_title, popular",
        ),
        sa.Column(
            "hit_rank",
            sa.Integer(),
            nullable=True,
            comment="1-based place among that query's hits; NULL: popular",
        ),
        sa.Column(
            "score",
            sa.REAL(),
            nullable=True,
            comment="BM25 score of that hit, not comparable between queries; NULL: popular",
        ),
        sa.CheckConstraint(
            "source IN ('query', 'backfill', 'last_title', 'popular')",
            name=op.f("ck_recommendations_source"),
        ),
        sa.PrimaryKeyConstraint("run_no", "user_no", "rank", name="pk_recommendations"),
        sa.UniqueConstraint(
            "run_no", "user_no", "item_no", name="uq_recommendations_run_no_user_no_item_no"
        ),
        comment="One row per run, user and rank. One partition per run.",
        postgresql_partition_by="LIST (run_no)",
    )
    # Nobody but the owner can change what was written down.
    op.execute("GRANT SELECT, INSERT ON audit TO gpt4rec_writer")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO gpt4rec_writer")


def downgrade() -> None:
    op.drop_table("audit")
    for table in reversed(TABLES):
        op.drop_table(table)
