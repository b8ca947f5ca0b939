"""Users that a holdback gives other lists, and what they bought."""

from pathlib import Path

from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim
from gpt4rec_es.db.checks import replace_check

revision: str = "0113"
down_revision: str | None = "0110"
branch_labels = None
depends_on = None

_SQL = Path(__file__).parents[1] / "schema" / "holdback.sql"
_BEFORE = ("ok", "no_history", "no_titles", "empty_query", "no_hits", "failed")
_AFTER = (*_BEFORE[:-1], "held_back", "failed")


def upgrade() -> None:
    op.execute(verbatim(_SQL.read_text(encoding="utf-8")))
    _allow_outcomes(_AFTER)


def downgrade() -> None:
    """Remove which users a holdback took, and what they bought."""
    op.execute(verbatim(DROP_VIEWS))
    op.execute("UPDATE user_outcomes SET outcome = 'no_history' WHERE outcome = 'held_back'")
    _allow_outcomes(_BEFORE)
    op.execute("DROP TABLE holdback_users, quality_arms")


def _allow_outcomes(outcomes: tuple[str, ...]) -> None:
    quoted = ", ".join(f"'{outcome}'" for outcome in outcomes)
    name = "ck_user_outcomes_outcome"
    op.execute(replace_check("user_outcomes", name, f"outcome IN ({quoted})"))
    comment = f"{', '.join(outcomes[:-1])} or {outcomes[-1]}"
    op.execute(verbatim(f"COMMENT ON COLUMN user_outcomes.outcome IS '{comment}'"))
