"""Pages that are not written yet, users of a query, and recipes compared by segment of users."""

import sqlalchemy as sa
from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0118"
down_revision: str | None = "0117"
branch_labels = None
depends_on = None

_COMPARISONS = "list_trial_comparisons"
_KEY = f"pk_{_COMPARISONS}"
_ROWS = (
    "One row per {} of the best recipe of a trial and the one that was live, on users that were "
    "not used for choosing."
)
_WRITTEN = "time the file was last written"


def upgrade() -> None:
    op.create_index("ix_run_users_prompt_no", "run_users", ["prompt_no"])
    _comment_of_exports(f"{_WRITTEN}; NULL: its content was only made, nothing was written")
    op.execute(
        "ALTER TABLE exports ALTER exported_at DROP NOT NULL, ALTER exported_at DROP DEFAULT"
    )
    op.add_column(
        _COMPARISONS,
        sa.Column(
            "segment",
            sa.Text(),
            nullable=False,
            server_default="all",
            comment="group of users; all: every user",
        ),
    )
    op.add_column(
        _COMPARISONS,
        sa.Column(
            "n_users",
            sa.Integer(),
            comment="number of users of the segment; NULL: an older trial, of all its test users",
        ),
    )
    op.alter_column(_COMPARISONS, "segment", server_default=None)
    _key("trial_no, k, metric, segment")
    op.create_table_comment(_COMPARISONS, _ROWS.format("metric and segment"))


def downgrade() -> None:
    """Remove comparisons by segment, and pages that were never written."""
    op.execute(verbatim(DROP_VIEWS))
    op.execute(f"DELETE FROM {_COMPARISONS} WHERE segment <> 'all'")  # noqa: S608 - a constant
    _key("trial_no, k, metric")
    op.drop_column(_COMPARISONS, "segment")
    op.drop_column(_COMPARISONS, "n_users")
    op.create_table_comment(_COMPARISONS, _ROWS.format("metric"))
    op.drop_index("ix_run_users_prompt_no", "run_users")
    op.execute("DELETE FROM exports WHERE exported_at IS NULL")
    op.execute(
        "ALTER TABLE exports ALTER exported_at SET NOT NULL, "
        "ALTER exported_at SET DEFAULT clock_timestamp()"
    )
    _comment_of_exports(_WRITTEN)


def _key(columns: str) -> None:
    op.execute(f"ALTER TABLE {_COMPARISONS} DROP CONSTRAINT {_KEY}")
    op.execute(f"ALTER TABLE {_COMPARISONS} ADD CONSTRAINT {_KEY} PRIMARY KEY ({columns})")


def _comment_of_exports(comment: str) -> None:
    op.execute(verbatim(f"COMMENT ON COLUMN exports.exported_at IS '{comment}'"))
