"""Personal queries: log-probabilities without titles, and how much first queries differ."""

import sqlalchemy as sa
from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0104"
down_revision: str | None = "0103"
branch_labels = None
depends_on = None

_RANK = "1-based rank of the query in its generation, by {}"

_COUNTED = ("runs", "evaluations")


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
    for table in _COUNTED:
        op.add_column(
            table,
            sa.Column(
                "distinct_first_queries",
                sa.Integer(),
                comment=(
                    "number of distinct first queries of users, before filters; NULL: not counted"
                ),
            ),
        )
        op.add_column(
            table,
            sa.Column(
                "top_first_query_fraction",
                sa.REAL(),
                comment=(
                    "fraction of the users with a query whose first query is the most frequent "
                    "one, before filters; NULL: not counted, or no user has a query"
                ),
            ),
        )


def downgrade() -> None:
    _comment_rank("beam score", "the score that decoding asks for")
    op.execute(verbatim(DROP_VIEWS))
    op.drop_column("generated_queries", "prior_logprob")
    for table in _COUNTED:
        op.drop_column(table, "top_first_query_fraction")
        op.drop_column(table, "distinct_first_queries")


def _comment_rank(new: str, old: str) -> None:
    op.alter_column(
        "generated_queries",
        "rank",
        comment=_RANK.format(new),
        existing_comment=_RANK.format(old),
        existing_type=sa.SmallInteger(),
        existing_nullable=False,
    )
