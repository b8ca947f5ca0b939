"""What users bought after each night, compared with its lists."""

from pathlib import Path

from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0108"
down_revision: str | None = "0107"
branch_labels = None
depends_on = None

_SQL = Path(__file__).parents[1] / "schema" / "quality.sql"


def upgrade() -> None:
    op.execute(verbatim(_SQL.read_text(encoding="utf-8")))


def downgrade() -> None:
    """Remove all measurements of nights."""
    op.execute(verbatim(DROP_VIEWS))
    op.execute("DROP TABLE quality_users, quality_parts, quality_methods, quality_days")
