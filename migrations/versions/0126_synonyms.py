"""Comments: builds are also derived with other synonyms, and the alias moves to them."""

from alembic import op

from gpt4rec_es.db.checks import validate_check

revision: str = "0126"
down_revision: str | None = "0123"
branch_labels = None
depends_on = None

_NEW = {
    "builds.kind": "full (from the catalog) or derived (a clone with other k1, b or synonyms)",
    "alias_swaps.action": "command that moved the alias: reindex, bm25, synonyms, undo or rollback",
}
_OLD = {
    "builds.kind": "full (from the catalog) or derived (a clone with other k1, b)",
    "alias_swaps.action": "command that moved the alias: reindex, bm25, undo or rollback",
}


def upgrade() -> None:
    """Change the comments, and validate the check that 0123 replaced."""
    op.execute(validate_check("recommendations", "ck_recommendations_source"))
    _comment(_NEW)


def downgrade() -> None:
    _comment(_OLD)


def _comment(comments: dict[str, str]) -> None:
    for column, comment in comments.items():
        op.execute(f"COMMENT ON COLUMN {column} IS '{comment}'")
