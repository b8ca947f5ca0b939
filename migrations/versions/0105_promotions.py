"""Rules that boost or pin items, and the rows of lists that they placed."""

import sqlalchemy as sa
from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim
from gpt4rec_es.db.checks import replace_check

revision: str = "0105"
down_revision: str | None = "0104"
branch_labels = None
depends_on = None

_RULES = ("block_rules", "run_rules")
_SOURCES = "'queries', 'co_purchase', 'history_titles', 'backfill', 'last_title', 'popular'"
# (column, comment before, comment after)
_COMMENTS = (
    (
        "COLUMN block_rules.kind",
        "what the rule blocks: item, brand or category",
        "what the rule is about: item, brand or category",
    ),
    (
        "COLUMN run_rules.n_items",
        "number of items that the rule removes from all lists",
        "number of items that the rule removes from all lists, boosts or pins",
    ),
    (
        "COLUMN run_rules.item_nos",
        (
            "items that the rule removes from all lists; NULL: they depend on user or list, or the "
            "run was pruned"
        ),
        (
            "items that the rule removes from all lists, boosts or pins; NULL: they depend on user "
            "or list, or the run was pruned"
        ),
    ),
    (
        "COLUMN recommendations.source",
        "queries, co_purchase, history_titles, backfill, last_title or popular",
        "pinned, queries, co_purchase, history_titles, backfill, last_title or popular",
    ),
    (
        "COLUMN recommendations.query_no",
        "query that found the item; NULL: source is co_purchase or popular",
        "query that found the item; NULL: source is co_purchase, popular or pinned",
    ),
    (
        "COLUMN recommendations.hit_rank",
        (
            "1-based rank among the hits of the query (co_purchase: among the neighbours of "
            "from_item_no); NULL: source is popular"
        ),
        (
            "1-based rank among the hits of the query (co_purchase: among the neighbours of "
            "from_item_no); NULL: source is popular or pinned"
        ),
    ),
    (
        "COLUMN recommendations.score",
        (
            "BM25 score of the hit, not comparable between queries (co_purchase: similarity); "
            "NULL: source is popular"
        ),
        (
            "BM25 score of the hit, not comparable between queries (co_purchase: similarity); "
            "NULL: source is popular or pinned"
        ),
    ),
    (
        "COLUMN recommendations.fused_score",
        (
            "weighted sum of the scores of the run's sources; NULL: fallback, or queries are the "
            "only source"
        ),
        (
            "weighted sum of the scores of the run's sources, with boosts; NULL: fallback, pinned, "
            "or queries are the only source"
        ),
    ),
    (
        "COLUMN user_outcomes.short_reason",
        "reason that n_found is below the run's k; NULL: it is not",
        "reason that n_found and n_pinned together are below the run's k; NULL: they are not",
    ),
    (
        "COLUMN run_counts.name",
        (
            "what is counted: members, tokens, queries, searches, users, listed, removed, errors "
            "or takeovers"
        ),
        (
            "what is counted: members, tokens, queries, searches, users, listed, removed, pinned, "
            "boosted, errors or takeovers"
        ),
    ),
    (
        "COLUMN run_counts.detail",
        "users: the outcome; listed: the source; removed: the rule; errors: the class; else empty",
        (
            "users: the outcome; listed: the source; removed, pinned, boosted: the rule; errors: "
            "the class; else empty"
        ),
    ),
    (
        "TABLE block_rules",
        "One row per rule that blocks items; removed rules stay as rows.",
        "One row per rule that blocks, boosts or pins items; removed rules stay as rows.",
    ),
)


def upgrade() -> None:
    for table in _RULES:
        op.add_column(
            table,
            sa.Column(
                "action",
                sa.Text(),
                nullable=False,
                server_default="block",
                comment="what the rule does with items: block, boost or pin",
            ),
        )
        op.add_column(
            table,
            sa.Column(
                "places",
                sa.SmallInteger(),
                comment=(
                    "boost: number of places that an item moves up; pin: most items of the rule "
                    "per list; NULL: block"
                ),
            ),
        )
    op.execute(
        "ALTER TABLE block_rules "
        "ADD CONSTRAINT ck_block_rules_action CHECK (action IN ('block', 'boost', 'pin')), "
        "ADD CONSTRAINT ck_block_rules_places CHECK ((action = 'block') = (places IS NULL))"
    )
    op.add_column(
        "recommendations",
        sa.Column(
            "promoted_by",
            sa.Text(),
            comment="name of the rule that pinned the item or moved it up; NULL: none did",
        ),
    )
    op.add_column(
        "user_outcomes",
        sa.Column(
            "n_pinned",
            sa.SmallInteger(),
            nullable=False,
            server_default="0",
            comment="number of recommendations that rules pinned",
        ),
    )
    _allow_sources(f"'pinned', {_SOURCES}")
    for what, _, after in _COMMENTS:
        _comment(what, after)


def downgrade() -> None:
    """Remove boosts and pins; lists lose the rows that were pinned."""
    op.execute(verbatim(DROP_VIEWS))
    op.execute("DELETE FROM run_rules WHERE action <> 'block'")
    op.execute("DELETE FROM block_rules WHERE action <> 'block'")
    op.execute("DELETE FROM recommendations WHERE source = 'pinned'")
    _allow_sources(_SOURCES)
    op.drop_column("user_outcomes", "n_pinned")
    op.drop_column("recommendations", "promoted_by")
    for table in _RULES:
        op.drop_column(table, "places")
        op.drop_column(table, "action")
    for what, before, _ in _COMMENTS:
        _comment(what, before)


def _allow_sources(sources: str) -> None:
    name = "ck_recommendations_source"
    op.execute(replace_check("recommendations", name, f"source IN ({sources})"))


def _comment(what: str, comment: str) -> None:
    quoted = comment.replace("'", "''")
    op.execute(verbatim(f"COMMENT ON {what} IS '{quoted}'"))
