"""Splits say which of their purchases were made at one moment, and how far apart others are."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels = None
depends_on = None

# Table -> the column that steps stand beside.
BESIDE = {"split_train": "item_nos", "split_cases": "history"}


def upgrade() -> None:
    for table, column in BESIDE.items():
        comment = (
            f"which of the user's moments, from 0, each of {column} was of; "
            "NULL: only the order is known, or the split is older than this column"
        )
        op.add_column(table, sa.Column("steps", postgresql.ARRAY(sa.Integer()), comment=comment))
        op.create_check_constraint(
            op.f(f"ck_{table}_steps"), table, f"cardinality(steps) = cardinality({column})"
        )


def downgrade() -> None:
    for table in BESIDE:
        op.drop_column(table, "steps")
