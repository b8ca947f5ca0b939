"""Titles of bought items as queries, frozen per run."""

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_titles",
        sa.Column("run_no", sa.Integer(), nullable=False, comment="the run"),
        sa.Column("item_no", sa.Integer(), nullable=False, comment="an item that was bought"),
        sa.Column("query_no", sa.BigInteger(), nullable=False, comment="its title as a query"),
        sa.ForeignKeyConstraint(
            ["query_no"], ["queries.query_no"], name="fk_run_titles_query_no_queries"
        ),
        sa.ForeignKeyConstraint(
            ["run_no"], ["runs.run_no"], name="fk_run_titles_run_no_runs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_no", "item_no", name="pk_run_titles"),
        comment=(
            "One row per run and bought item with a title, if titles are a source of the run: "
            "what is searched for it, frozen at planning."
        ),
    )
    # For deleting a query.
    op.create_index("ix_run_titles_query_no", "run_titles", ["query_no"])
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON run_titles TO gpt4rec_writer")


def downgrade() -> None:
    op.drop_table("run_titles")
