"""The writer takes numbers of generations and queries before it copies their rows.

Without that it would have to look each up again, as COPY returns nothing.
"""

from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels = None
depends_on = None

SEQUENCES = "generations_generation_no_seq, queries_query_no_seq"


def upgrade() -> None:
    op.execute(f"GRANT USAGE ON SEQUENCE {SEQUENCES} TO gpt4rec_writer")


def downgrade() -> None:
    op.execute(f"REVOKE USAGE ON SEQUENCE {SEQUENCES} FROM gpt4rec_writer")
