"""Recipes and their uses; runs without a query generator."""

from pathlib import Path

from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0102"
down_revision: str | None = "0101"
branch_labels = None
depends_on = None


def upgrade() -> None:
    file = Path(__file__).parents[1] / "schema" / "recipes.sql"
    op.execute(verbatim(file.read_text(encoding="utf-8")))


def downgrade() -> None:
    op.execute(verbatim(DROP_VIEWS))
    op.execute("DROP TABLE recipe_uses, recipes")
    # Runs without a generator are refused here: their lists need this version.
    op.execute("ALTER TABLE runs ALTER generator_no SET NOT NULL")
    op.execute("COMMENT ON COLUMN runs.generator_no IS 'query generator of the run'")
