"""Descriptions of items."""

import sqlalchemy as sa
from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0134"
down_revision: str | None = "0133"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(verbatim(DROP_VIEWS))
    comment = "cleaned description, its first 4,000 characters; NULL: none"
    op.add_column("items", sa.Column("description", sa.Text(), comment=comment))


def downgrade() -> None:
    op.execute(verbatim(DROP_VIEWS))
    op.drop_column("items", "description")
