"""What nights' work came to, kept for good: counts of shards, and of runs; members counted once.

The old column n_rows was always 0.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("shards", "n_rows")
    op.add_column(
        "shards",
        sa.Column(
            "n_members",
            sa.Integer(),
            sa.Computed("cardinality(members)", persisted=True),
            nullable=False,
            comment="how many members it has: counting them anew would mean reading them all",
        ),
    )
    op.add_column(
        "shards",
        sa.Column(
            "counts",
            postgresql.JSONB(),
            nullable=True,
            comment="what the work came to, as name or name:detail -> number; NULL until done",
        ),
    )
    op.create_index("ix_shards_run_no", "shards", ["run_no", "stage"])
    op.create_table(
        "run_counts",
        sa.Column("run_no", sa.Integer(), nullable=False, comment="the run"),
        sa.Column("stage", sa.Text(), nullable=False, comment="generate, search or merge"),
        sa.Column(
            "name",
            sa.Text(),
            nullable=False,
            comment="members, tokens, queries, searches, users, errors or takeovers",
        ),
        sa.Column(
            "detail",
            sa.Text(),
            nullable=False,
            comment="of users the outcome, of errors their class; else empty",
        ),
        sa.Column("n", sa.BigInteger(), nullable=False, comment="how many"),
        sa.ForeignKeyConstraint(
            ["run_no"], ["runs.run_no"], name="fk_run_counts_run_no_runs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_no", "stage", "name", "detail", name="pk_run_counts"),
        comment=(
            "One row per run, stage and count: what its work came to, summed over shards when it "
            "ended."
        ),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON run_counts TO gpt4rec_writer")


def downgrade() -> None:
    op.drop_table("run_counts")
    op.drop_index("ix_shards_run_no", table_name="shards")
    op.drop_column("shards", "counts")
    op.drop_column("shards", "n_members")
    op.add_column(
        "shards",
        sa.Column("n_rows", sa.Integer(), nullable=True, comment="rows stored; NULL until done"),
    )
