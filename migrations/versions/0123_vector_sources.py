"""Searches by vectors as sources of lists, and in trials of recipes."""

import sqlalchemy as sa
from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim
from gpt4rec_es.db.checks import replace_check

revision: str = "0123"
down_revision: str | None = "0120"
branch_labels = None
depends_on = None

_SOURCES = (
    "'pinned', 'queries', 'co_purchase', 'history_titles', 'backfill', 'last_title', 'popular', "
    "'sequence'"
)
# (column of recommendations, comment before, comment after)
_COMMENTS = (
    (
        "source",
        "pinned, queries, co_purchase, history_titles, sequence, backfill, last_title or popular",
        (
            "pinned, queries, co_purchase, history_titles, sequence, query_vectors, title_vectors, "
            "backfill, last_title or popular"
        ),
    ),
    (
        "score",
        (
            "BM25 score of the hit, not comparable between queries (co_purchase: similarity; "
            "sequence: score of the re-ranker); NULL: source is popular or pinned"
        ),
        (
            "BM25 score of the hit, not comparable between queries (co_purchase: similarity; "
            "query_vectors and title_vectors: cosine of the two texts' vectors; sequence: score of "
            "the re-ranker); NULL: source is popular or pinned"
        ),
    ),
    (
        "from_item_no",
        (
            "bought item whose neighbour the item is (co_purchase), whose title found it "
            "(history_titles) or that ends the sequence of purchases that found it (sequence); "
            "NULL: other sources"
        ),
        (
            "bought item whose neighbour the item is (co_purchase), whose title found it "
            "(history_titles, title_vectors) or that ends the sequence of purchases that found it "
            "(sequence); NULL: other sources"
        ),
    ),
)


def upgrade() -> None:
    op.execute(verbatim(DROP_VIEWS))
    op.add_column(
        "list_trial_settings",
        sa.Column(
            "has_vectors",
            sa.Boolean(),
            comment="whether texts are searched by vectors, too; NULL: an older trial",
        ),
    )
    _allow_sources(f"{_SOURCES}, 'query_vectors', 'title_vectors'")
    for column, _, after in _COMMENTS:
        _comment(column, after)


def downgrade() -> None:
    """Remove the sources; lists lose the rows that they found."""
    op.execute(verbatim(DROP_VIEWS))
    op.execute("DELETE FROM recommendations WHERE source IN ('query_vectors', 'title_vectors')")
    _allow_sources(_SOURCES)
    op.drop_column("list_trial_settings", "has_vectors")
    for column, before, _ in _COMMENTS:
        _comment(column, before)


def _allow_sources(sources: str) -> None:
    name = "ck_recommendations_source"
    op.execute(replace_check("recommendations", name, f"source IN ({sources})"))


def _comment(column: str, comment: str) -> None:
    quoted = comment.replace("'", "''")
    op.execute(verbatim(f"COMMENT ON COLUMN recommendations.{column} IS '{quoted}'"))
