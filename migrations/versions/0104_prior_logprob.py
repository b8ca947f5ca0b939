"""Log-probabilities of generated queries after a prompt without titles, for personal queries."""

import sqlalchemy as sa
from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0104"
down_revision: str | None = "0101"
branch_labels = None
depends_on = None

_RANK = "1-based rank of the query in its generation, by {}"


def upgrade() -> None:
    op.add_column(
        "generated_queries",
        sa.Column(
            "prior_logprob",
            sa.REAL(),
            comment=(
                "natural-log probability of the query's tokens after a prompt without titles; "
                "NULL: prior_weight is 0, or no language model"
            ),
        ),
    )
    _comment_rank("the score that decoding asks for", "beam score")


def downgrade() -> None:
    _comment_rank("beam score", "the score that decoding asks for")
    op.execute(verbatim(DROP_VIEWS))
    op.drop_column("generated_queries", "prior_logprob")


def _comment_rank(new: str, old: str) -> None:
    op.alter_column(
        "generated_queries",
        "rank",
        comment=_RANK.format(new),
        existing_comment=_RANK.format(old),
        existing_type=sa.SmallInteger(),
        existing_nullable=False,
    )
