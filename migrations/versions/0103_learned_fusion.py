"""Learned fusion: numbers of buyers for its features, and trials of recipes.

Co-purchase sets from before have no numbers; the next night that needs them counts them.
"""

from pathlib import Path

from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0103"
down_revision: str | None = "0102"
branch_labels = None
depends_on = None


def upgrade() -> None:
    file = Path(__file__).parents[1] / "schema" / "list_trials.sql"
    op.execute(verbatim(file.read_text(encoding="utf-8")))


def downgrade() -> None:
    op.execute(verbatim(DROP_VIEWS))
    op.execute("UPDATE recipes SET trial_no = NULL")
    op.execute("ALTER TABLE recipes DROP CONSTRAINT fk_recipes_trial_no_list_trials")
    op.execute(
        "ALTER TABLE recipes ADD CONSTRAINT fk_recipes_trial_no_trials "
        "FOREIGN KEY (trial_no) REFERENCES trials (trial_no) ON DELETE SET NULL"
    )
    op.execute("DROP TABLE list_trial_comparisons, list_trial_settings, list_trials")
    op.execute("REVOKE USAGE ON SEQUENCE trials_trial_no_seq FROM gpt4rec_writer")
    op.execute("ALTER TABLE co_purchase_sets DROP COLUMN item_buyers")
