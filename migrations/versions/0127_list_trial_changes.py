"""What the best recipe of a trial changes for users: queries, recommended items, purchases."""

from pathlib import Path

from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0127"
down_revision: str | None = "0126"
branch_labels = None
depends_on = None

_SQL = Path(__file__).parents[1] / "schema" / "list_trial_changes.sql"


def upgrade() -> None:
    op.execute(verbatim(_SQL.read_text(encoding="utf-8")))


def downgrade() -> None:
    """Forget what trials change; they can be repeated."""
    op.execute(verbatim(DROP_VIEWS))
    op.execute("DROP TABLE list_trial_changes")
