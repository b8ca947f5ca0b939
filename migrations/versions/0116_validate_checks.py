"""Validate checks that earlier revisions replaced; say of which nights a usual value is."""

from alembic import op

from gpt4rec_es.db.checks import validate_check

revision: str = "0116"
down_revision: str | None = "0115"
branch_labels = None
depends_on = None

_USUAL = (
    "COMMENT ON COLUMN run_measures.usual IS 'median of the measure over the nights published last "
    "before the run{}, 7 at most; NULL: fewer than 3 have it'"
)


def upgrade() -> None:
    op.execute(validate_check("recommendations", "ck_recommendations_source"))
    op.execute(validate_check("user_outcomes", "ck_user_outcomes_outcome"))
    op.execute(_USUAL.format(" by the same recipe, generator and rules"))


def downgrade() -> None:
    """Change the comment back; checks stay validated."""
    op.execute(_USUAL.format(""))
