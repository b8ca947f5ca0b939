"""Whether the best items of a re-ranker were a source of a setting that a trial measured."""

import sqlalchemy as sa
from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0114"
down_revision: str | None = "0113"
branch_labels = None
depends_on = None

_TABLE = "list_trial_settings"


def upgrade() -> None:
    op.add_column(
        _TABLE,
        sa.Column(
            "has_sequence",
            sa.Boolean(),
            comment="whether the best items of a re-ranker are a source; NULL: an older trial",
        ),
    )


def downgrade() -> None:
    op.execute(verbatim(DROP_VIEWS))
    op.drop_column(_TABLE, "has_sequence")
