"""Sets of co-purchases say how pairs were counted; what was a cosine becomes a strength.

All sets there are were made by the cosine, and old runs keep theirs.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels = None
depends_on = None

SETS = "co_purchase_sets"
MADE_FROM = "uq_co_purchase_sets_made_from"
KEY = ["history_version", "catalog_version", "neighbours", "pair_history"]
# Column: (what it is in the cosine, comment).
ADDED = {
    "pair_decay": (1.0, "a pair counts so much less with each step further apart"),
    "pair_backward": (1.0, "what a pair counts for an item bought before the other"),
    "pair_popularity": (0.5, "p: share of the exponent that goes to the neighbour's buyers"),
    "pair_damping": (0.0, "d: added to the item's own buyers"),
}
COSINE = (
    "users who bought both, divided by the square root of (buyers of one x buyers of the other)"
)
STRENGTH = (
    "sum of the pairs' weights over users who bought both, divided by (buyers of the item + d)"
    "^(1 - p) x (buyers of the neighbour)^p"
)
SHOWN = (
    "how strongly the item speaks for its neighbour, 0 to 1: users who bought both, the "
    "nearer together and in this order the more, by buyers of each"
)
SCORE = "BM25 score of that hit, not comparable between queries (co_purchase: {}); NULL: popular"
SHOWN_SCORE = (
    "BM25 score of the hit; scores of different queries cannot be compared "
    "(co_purchase: {}, 0 to 1); NULL: popular"
)
NOS = "items its buyers bought, {} first"
# Column: (old comment, new comment).
COMMENTS = {
    "co_purchases.neighbour_nos": (NOS.format("highest cosine"), NOS.format("greatest strength")),
    "co_purchases.strengths": (
        f"parallel to neighbour_nos: {COSINE}",
        f"parallel to neighbour_nos: {STRENGTH}",
    ),
    "analytics.co_purchases.strength": (f"{COSINE}: 0 to 1", SHOWN),
    "recommendations.score": (SCORE.format("cosine"), SCORE.format("strength")),
    **{
        f"analytics.{view}.score": (SHOWN_SCORE.format("cosine"), SHOWN_SCORE.format("strength"))
        for view in ("recommendations", "latest_recommendations")
    },
}


def upgrade() -> None:
    for name, (value, comment) in ADDED.items():
        # Existing rows get the default, new ones must say.
        op.add_column(
            SETS,
            sa.Column(
                name, sa.Double(), nullable=False, server_default=str(value), comment=comment
            ),
        )
        op.alter_column(SETS, name, server_default=None)
    op.drop_constraint(MADE_FROM, SETS)
    op.create_unique_constraint(MADE_FROM, SETS, [*KEY, *ADDED])
    _rename("cosines", "strengths")
    op.execute("ALTER VIEW analytics.co_purchases RENAME COLUMN cosine TO strength")
    _comment(1)


def downgrade() -> None:
    # What was counted otherwise has no place in the older key.
    op.execute("""
        CREATE TEMPORARY TABLE counted_otherwise ON COMMIT DROP AS
        SELECT set_no FROM co_purchase_sets
        WHERE (pair_decay, pair_backward, pair_popularity, pair_damping) <> (1, 1, 0.5, 0)
    """)
    op.execute("""
        UPDATE runs SET co_purchase_set_no = NULL
        WHERE co_purchase_set_no IN (SELECT set_no FROM counted_otherwise)
    """)
    op.execute(
        "DELETE FROM co_purchase_sets WHERE set_no IN (SELECT set_no FROM counted_otherwise)"
    )
    _comment(0)
    op.execute("ALTER VIEW analytics.co_purchases RENAME COLUMN strength TO cosine")
    _rename("strengths", "cosines")
    op.drop_constraint(MADE_FROM, SETS)
    for name in ADDED:
        op.drop_column(SETS, name)
    op.create_unique_constraint(MADE_FROM, SETS, KEY)


def _rename(old: str, new: str) -> None:
    op.alter_column("co_purchases", old, new_column_name=new)
    # Since PostgreSQL 18 this constraint has a name, made from the column's.
    op.execute(f"""
        DO $$ BEGIN
            ALTER TABLE co_purchases RENAME CONSTRAINT co_purchases_{old}_not_null
            TO co_purchases_{new}_not_null;
        EXCEPTION WHEN undefined_object THEN NULL;
        END $$
    """)


def _comment(which: int) -> None:
    for column, comments in COMMENTS.items():
        text = comments[which].replace("'", "''")
        op.execute(f"COMMENT ON COLUMN {column} IS '{text}'")
