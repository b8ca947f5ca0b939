"""How long a run worked, without the time until an operator published it."""

import sqlalchemy as sa
from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0117"
down_revision: str | None = "0116"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "runs",
        sa.Column(
            "work_s",
            sa.REAL(),
            comment=(
                "seconds from the start to the end of the run's work, without waiting for an "
                "operator; NULL: unfinished, or ended before this was kept"
            ),
        ),
    )


def downgrade() -> None:
    op.execute(verbatim(DROP_VIEWS))
    op.drop_column("runs", "work_s")
