"""Numbers of buyers in co-purchase sets, for the features of a learned fusion.

Sets from before have none; the next night that needs them counts them.
"""

from alembic import op

revision: str = "0103"
down_revision: str | None = "0102"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE co_purchase_sets ADD COLUMN item_buyers bytea")
    op.execute(
        "COMMENT ON COLUMN co_purchase_sets.item_buyers IS 'number of buyers by item number, from "
        "0 on, 4 bytes each (int32, little-endian); NULL: not counted, a set of an earlier version'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE co_purchase_sets DROP COLUMN item_buyers")
