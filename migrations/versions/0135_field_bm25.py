"""k1 and b of fields beside the title, of builds and of trials."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0135"
down_revision: str | None = "0134"
branch_labels = None
depends_on = None

_COMMENTS = {
    "builds": "JSON: [k1, b] by field beside the title; NULL: all have 1.2 and 0.75",
    "list_trials": (
        "JSON: [k1, b] by field, of those with other values than in the live build; NULL: none"
    ),
}


def upgrade() -> None:
    op.execute(verbatim(DROP_VIEWS))
    for table, comment in _COMMENTS.items():
        op.add_column(table, sa.Column("field_bm25", JSONB(), comment=comment))


def downgrade() -> None:
    """Forget them; builds keep theirs until they are deleted."""
    op.execute(verbatim(DROP_VIEWS))
    for table in _COMMENTS:
        op.drop_column(table, "field_bm25")
