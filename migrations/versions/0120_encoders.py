"""Encoders, the vectors that they make of titles, and which of them a build holds."""

from pathlib import Path

from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0120"
down_revision: str | None = "0118"
branch_labels = None
depends_on = None

_SQL = Path(__file__).parents[1] / "schema" / "encoders.sql"


def upgrade() -> None:
    op.execute(verbatim(_SQL.read_text(encoding="utf-8")))


def downgrade() -> None:
    """Remove encoders and their vectors; builds keep theirs until they are deleted."""
    op.execute(verbatim(DROP_VIEWS))
    op.drop_column("builds", "encoder_no")
    op.execute("DROP TABLE title_vectors, encoders")
    comment = "'BM25 scores, parallel to item_nos'"
    op.execute(verbatim(f"COMMENT ON COLUMN searches.scores IS {comment}"))
