"""Best items of a re-ranker as a source of lists; re-rankers that read no metadata."""

import sqlalchemy as sa
from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim
from gpt4rec_es.db.checks import replace_check

revision: str = "0109"
down_revision: str | None = "0108"
branch_labels = None
depends_on = None

_SOURCES = (
    "'pinned', 'queries', 'co_purchase', 'history_titles', 'backfill', 'last_title', 'popular'"
)
# (what, comment before, comment after)
_COMMENTS = (
    (
        "COLUMN rerankers.gpt2",
        "GPT-2 that reads metadata for it: a folder or a hub id",
        "GPT-2 that reads metadata for it: a folder or a hub id; NULL: it reads none",
    ),
    (
        "TABLE item_vectors",
        (
            "One row per re-ranker, item and change of what it reads of the item. As of a catalog "
            "version, the row with the greatest one up to it counts."
        ),
        (
            "One row per re-ranker, item and change of what it reads of the item. As of a catalog "
            "version, the row with the greatest one up to it counts. Items that it does not know "
            "have none."
        ),
    ),
    (
        "COLUMN recommendations.source",
        "pinned, queries, co_purchase, history_titles, backfill, last_title or popular",
        "pinned, queries, co_purchase, history_titles, sequence, backfill, last_title or popular",
    ),
    (
        "COLUMN recommendations.query_no",
        "query that found the item; NULL: source is co_purchase, popular or pinned",
        "query that found the item; NULL: source is co_purchase, sequence, popular or pinned",
    ),
    (
        "COLUMN recommendations.hit_rank",
        (
            "1-based rank among the hits of the query (co_purchase: among the neighbours of "
            "from_item_no); NULL: source is popular or pinned"
        ),
        (
            "1-based rank among the hits of the query (co_purchase: among the neighbours of "
            "from_item_no; sequence: among the items that the list may have); NULL: source is "
            "popular or pinned"
        ),
    ),
    (
        "COLUMN recommendations.score",
        (
            "BM25 score of the hit, not comparable between queries (co_purchase: similarity); "
            "NULL: source is popular or pinned"
        ),
        (
            "BM25 score of the hit, not comparable between queries (co_purchase: similarity; "
            "sequence: score of the re-ranker); NULL: source is popular or pinned"
        ),
    ),
    (
        "COLUMN recommendations.from_item_no",
        (
            "bought item whose neighbour the item is (co_purchase) or whose title found it "
            "(history_titles); NULL: other sources"
        ),
        (
            "bought item whose neighbour the item is (co_purchase), whose title found it "
            "(history_titles) or that ends the sequence of purchases that found it (sequence); "
            "NULL: other sources"
        ),
    ),
)


def upgrade() -> None:
    """Let rows have the new source; stored vectors are of items that can be recommended now or not.

    So replays of older nights by a recipe with the source use such items of now.
    """
    op.execute(verbatim(DROP_VIEWS))
    op.alter_column("rerankers", "gpt2", nullable=True)
    op.add_column(
        "item_vectors",
        sa.Column(
            "is_findable",
            sa.Boolean(),
            nullable=False,
            server_default=sa.true(),
            comment=(
                "whether the item was active and had a title then, so that lists could have it"
            ),
        ),
    )
    op.execute(
        "UPDATE item_vectors AS v SET is_findable = false FROM items AS i "
        "WHERE i.item_no = v.item_no AND NOT (i.is_active AND i.title IS NOT NULL)"
    )
    _allow_sources(f"{_SOURCES}, 'sequence'")
    for what, _, after in _COMMENTS:
        _comment(what, after)


def downgrade() -> None:
    """Remove the source; lists lose the rows that it found, and names of a GPT-2 become empty."""
    op.execute(verbatim(DROP_VIEWS))
    op.execute("DELETE FROM recommendations WHERE source = 'sequence'")
    _allow_sources(_SOURCES)
    op.drop_column("item_vectors", "is_findable")
    op.execute("UPDATE rerankers SET gpt2 = '' WHERE gpt2 IS NULL")
    op.alter_column("rerankers", "gpt2", nullable=False)
    for what, before, _ in _COMMENTS:
        _comment(what, before)


def _allow_sources(sources: str) -> None:
    name = "ck_recommendations_source"
    op.execute(replace_check("recommendations", name, f"source IN ({sources})"))


def _comment(what: str, comment: str) -> None:
    quoted = comment.replace("'", "''")
    op.execute(verbatim(f"COMMENT ON {what} IS '{quoted}'"))
