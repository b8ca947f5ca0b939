"""Users of a run that are served and judged before all others."""

import sqlalchemy as sa
from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0115"
down_revision: str | None = "0114"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "runs",
        sa.Column(
            "canary_users",
            sa.Integer(),
            comment=(
                "number of users that are served and judged before all others; NULL: the run has "
                "no canary"
            ),
        ),
    )
    op.add_column(
        "runs",
        sa.Column(
            "canary_passed_at",
            sa.DateTime(timezone=True),
            comment="time the other users were let follow; NULL: no canary, or not yet",
        ),
    )


def downgrade() -> None:
    """Forget canaries; a run under way serves all users at once."""
    op.execute(verbatim(DROP_VIEWS))
    op.drop_column("runs", "canary_passed_at")
    op.drop_column("runs", "canary_users")
