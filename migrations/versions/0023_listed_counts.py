"""Runs count what they list by source, so that nobody has to read all lists to know."""

from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels = None
depends_on = None

OLD_COMMENTS = {
    "name": "members, tokens, queries, searches, users, removed, errors or takeovers",
    "detail": "of users the outcome, of removed items the rule, of errors their class; else empty",
}
NEW_COMMENTS = {
    "name": "members, tokens, queries, searches, users, listed, removed, errors or takeovers",
    "detail": (
        "of users the outcome, of listed items the source, of removed items the rule, of errors "
        "their class; else empty"
    ),
}


def upgrade() -> None:
    _comment(NEW_COMMENTS)


def downgrade() -> None:
    _comment(OLD_COMMENTS)


def _comment(comments: dict[str, str]) -> None:
    for column, comment in comments.items():
        op.execute(f"COMMENT ON COLUMN run_counts.{column} IS '{comment}'")
