"""All options that a trial of recipes searched, and whether a re-ranker took part."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0110"
down_revision: str | None = "0109"
branch_labels = None
depends_on = None

_TABLE = "list_trial_settings"
# (column, type, comment); trials from before have no values.
_COLUMNS: tuple[tuple[str, Any, str], ...] = (
    ("num_queries", sa.Integer(), "number of first queries of a user that are searched"),
    ("query_decay", sa.Double(), "factor by which each lower-ranked query counts less"),
    ("query_hits", sa.Integer(), "number of hits that are counted per query"),
    ("candidates", sa.Integer(), "number of candidates per source, and of hits per title"),
    ("history", sa.Integer(), "number of newest purchases of a user that are used"),
    ("neighbours", sa.Integer(), "number of neighbours that are kept per item"),
    (
        "has_reranker",
        sa.Boolean(),
        "whether a re-ranker's score is one of the fitted features",
    ),
)


def upgrade() -> None:
    for name, kind, comment in _COLUMNS:
        op.add_column(_TABLE, sa.Column(name, kind, comment=f"{comment}; NULL: an older trial"))


def downgrade() -> None:
    op.execute(verbatim(DROP_VIEWS))
    for name, _, _ in _COLUMNS:
        op.drop_column(_TABLE, name)
