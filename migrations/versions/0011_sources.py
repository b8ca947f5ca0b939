"""Sources of candidates beside generated queries: co-purchases, fused lists and their reasons."""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels = None
depends_on = None

TABLES = ("co_purchase_sets", "co_purchases")
OLD_SOURCES = ("query", "backfill", "last_title", "popular")
NEW_SOURCES = ("query", "co_purchase", "history_title", "backfill", "last_title", "popular")


class Comments(NamedTuple):
    """Comments on columns that change their meaning, or get one, and what they were before."""

    old: Mapping[str, str]
    new: Mapping[str, str]


TABLE_COMMENTS = Comments(
    {
        "user_outcomes.n_found": "recommendations that generated queries found, before fallbacks",
        "recommendations.source": "query, backfill, last_title or popular",
        "recommendations.query_no": "the query that found it; NULL: popular",
        "recommendations.query_rank": (
            "rank of that query in the generation; NULL: last_title, popular"
        ),
        "recommendations.hit_rank": "1-based place among that query's hits; NULL: popular",
        "recommendations.score": (
            "BM25 score of that hit, not comparable between queries; NULL: popular"
        ),
    },
    {
        "user_outcomes.n_found": "recommendations that the run's sources found, before fallbacks",
        "recommendations.source": (
            "query, co_purchase, history_title, backfill, last_title or popular"
        ),
        "recommendations.query_no": "the query that found it; NULL: co_purchase, popular",
        "recommendations.query_rank": (
            "rank of that query in the generation; NULL: it was not generated, or none"
        ),
        "recommendations.hit_rank": (
            "1-based place among that query's hits (co_purchase: among the neighbours of "
            "from_item_no); NULL: popular"
        ),
        "recommendations.score": (
            "BM25 score of that hit, not comparable between queries (co_purchase: cosine); "
            "NULL: popular"
        ),
    },
)

PUBLISHED = "(SELECT p.run_no FROM public.publications AS p WHERE p.kind = 'nightly')"
OLD_COLUMNS = """
SELECT r.run_id, r.logical_date, u.user_id, c.rank, i.item_id, i.title, c.source,
    c.source IN ('last_title', 'popular') AS is_fallback, q.query_no AS query_id,
    q.text AS query, c.query_rank, c.hit_rank, c.score, b.index_name
"""
OLD_FROM = """
FROM public.recommendations AS c
JOIN public.runs AS r ON r.run_no = c.run_no
JOIN public.builds AS b ON b.build_no = r.build_no
JOIN public.users AS u ON u.user_no = c.user_no
JOIN public.items AS i ON i.item_no = c.item_no
LEFT JOIN public.queries AS q ON q.query_no = c.query_no
"""
OLD = OLD_COLUMNS + OLD_FROM
NEW = f"""
{OLD_COLUMNS}, f.item_id AS from_item_id, f.title AS from_title, c.fused_score
{OLD_FROM} LEFT JOIN public.items AS f ON f.item_no = c.from_item_no
"""
LATEST = f" WHERE c.run_no = {PUBLISHED} AND i.is_active"

LIST_COMMENTS = Comments(
    {
        "source": "query (in the share of a generated query), backfill (a deeper hit of one), "
        "last_title (newest bought title as the query) or popular",
        "is_fallback": "whether no generated query found it: source last_title or popular",
        "query_id": "number of the query text, the same in every view and run; NULL: popular",
        "query": "the query that found the item; NULL: popular",
        "query_rank": "rank of that query among those generated for the user; NULL: fallback",
        "hit_rank": "1-based place among the hits of the query; NULL: popular",
        "score": "BM25 score of the hit; scores of different queries cannot be compared; NULL: "
        "popular",
    },
    {
        "source": "query (a generated query), co_purchase (bought by buyers of from_item_id), "
        "history_title (found by the title of from_item_id), backfill (a deeper hit of a generated "
        "query), last_title (newest bought title as the query) or popular; of several sources the "
        "one that speaks most for the item",
        "is_fallback": "whether no source of the run found it: source last_title or popular",
        "query_id": "number of the query text, the same in every view and run; NULL: co_purchase, "
        "popular",
        "query": "the query that found the item; NULL: co_purchase, popular",
        "query_rank": "rank of that query among those generated for the user; NULL: it was not "
        "generated, or none",
        "hit_rank": "1-based place among the hits of the query (co_purchase: among the neighbours "
        "of from_item_id); NULL: popular",
        "score": "BM25 score of the hit; scores of different queries cannot be compared "
        "(co_purchase: cosine, 0 to 1); NULL: popular",
    },
)
ADDED_COMMENTS = {
    "from_item_id": "bought item that it is a neighbour of, or whose title found it; NULL: source "
    "is neither co_purchase nor history_title",
    "from_title": "title of that item; NULL: none usable, or no such item",
    "fused_score": "weighted sum over the run's sources, by which its lists are ordered; NULL: "
    "fallback, or queries are the only source",
}
KEPT_COMMENTS = {
    "run_id": "the run",
    "logical_date": "the date the run recommends for, in the schedule's time zone",
    "user_id": "the shop's user id",
    "rank": "1-based place in the user's list",
    "item_id": "the shop's item id",
    "title": "cleaned title; NULL: none usable",
    "index_name": "name of the Elasticsearch index that was searched",
}
LISTS = {
    "recommendations": (
        "",
        "One row per run, user and rank, as the run made them. Filter by run_id.",
    ),
    "latest_recommendations": (
        LATEST,
        (
            "One row per user and rank of the published run. Items deactivated since are left "
            "out, so ranks may have gaps."
        ),
    ),
}
RUN_SOURCES = """
CREATE VIEW analytics.run_sources
    (run_id, logical_date, candidate_source, weight, fusion) AS
SELECT r.run_id, r.logical_date, coalesce(w.pair ->> 0, 'queries'),
    coalesce((w.pair ->> 1)::real, 1), r.manifest -> 'fusion' ->> 'method'
FROM public.runs AS r
LEFT JOIN LATERAL jsonb_array_elements(r.manifest -> 'fusion' -> 'weights') AS w(pair) ON true
"""
CO_PURCHASES = """
CREATE VIEW analytics.co_purchases
    (item_id, title, neighbour_rank, neighbour_item_id, neighbour_title, cosine) AS
SELECT i.item_id, i.title, n.rank::integer, j.item_id, j.title, n.cosine
FROM public.co_purchases AS c
JOIN public.items AS i ON i.item_no = c.item_no
CROSS JOIN LATERAL unnest(c.neighbour_nos, c.cosines)
    WITH ORDINALITY AS n (item_no, cosine, rank)
JOIN public.items AS j ON j.item_no = n.item_no
WHERE c.set_no = (SELECT s.set_no FROM public.co_purchase_sets AS s
                  ORDER BY s.history_version DESC, s.set_no DESC LIMIT 1)
"""
NEW_VIEWS = {
    "run_sources": (
        RUN_SOURCES,
        "One row per run and source of candidates that its lists are made from.",
        {
            "run_id": "the run",
            "logical_date": "the date the run recommends for, in the schedule's time zone",
            "candidate_source": "queries, co_purchase or titles",
            "weight": "weight of the source; 0: it has no say",
            "fusion": "scores or ranks: what is added up; NULL: queries are the only source",
        },
    ),
    "co_purchases": (
        CO_PURCHASES,
        "One row per item and neighbour: what the same users buy. Filter by item_id.",
        {
            "item_id": "the shop's item id",
            "title": "cleaned title; NULL: none usable",
            "neighbour_rank": "1-based place among the neighbours of the item",
            "neighbour_item_id": "item that its buyers also bought",
            "neighbour_title": "title of that item; NULL: none usable",
            "cosine": "users who bought both, divided by the square root of (buyers of one x "
            "buyers of the other): 0 to 1",
        },
    ),
}


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _comment(prefix: str, comments: Mapping[str, str]) -> None:
    for column, comment in comments.items():
        op.execute(f"COMMENT ON COLUMN {prefix}{column} IS {_literal(comment)}")


def _set_sources(sources: tuple[str, ...]) -> None:
    op.drop_constraint("ck_recommendations_source", "recommendations")
    names = ", ".join(map(_literal, sources))
    op.create_check_constraint(
        op.f("ck_recommendations_source"), "recommendations", f"source IN ({names})"
    )


def upgrade() -> None:
    op.create_table(
        "co_purchase_sets",
        sa.Column(
            "set_no", sa.Integer(), sa.Identity(), nullable=False, comment="number of the set"
        ),
        sa.Column(
            "history_version",
            sa.BigInteger(),
            nullable=False,
            comment="interactions up to this version are counted",
        ),
        sa.Column(
            "catalog_version",
            sa.BigInteger(),
            nullable=False,
            comment="neighbours could be recommended at this version",
        ),
        sa.Column(
            "neighbours", sa.Integer(), nullable=False, comment="most neighbours kept per item"
        ),
        sa.Column(
            "pair_history",
            sa.Integer(),
            nullable=False,
            comment="newest purchases of a user that count as bought together",
        ),
        sa.Column("n_items", sa.Integer(), nullable=False, comment="items with a neighbour"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="time it was stored",
        ),
        sa.PrimaryKeyConstraint("set_no", name="pk_co_purchase_sets"),
        sa.UniqueConstraint(
            "history_version",
            "catalog_version",
            "neighbours",
            "pair_history",
            name="uq_co_purchase_sets_made_from",
        ),
        comment=(
            "One row per set of co-purchases; it is there with all its neighbours or not at all."
        ),
    )
    op.create_table(
        "co_purchases",
        sa.Column("set_no", sa.Integer(), nullable=False, comment="the set"),
        sa.Column("item_no", sa.Integer(), nullable=False, comment="a bought item"),
        sa.Column(
            "neighbour_nos",
            postgresql.ARRAY(sa.Integer()),
            nullable=False,
            comment="items its buyers bought, highest cosine first",
        ),
        sa.Column(
            "cosines",
            postgresql.ARRAY(sa.REAL()),
            nullable=False,
            comment=(
                "parallel to neighbour_nos: users who bought both, divided by the square root of "
                "(buyers of one x buyers of the other)"
            ),
        ),
        sa.ForeignKeyConstraint(
            ["set_no"],
            ["co_purchase_sets.set_no"],
            name="fk_co_purchases_set_no_co_purchase_sets",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("set_no", "item_no", name="pk_co_purchases"),
        comment="One row per set and bought item: what is bought together with it.",
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO gpt4rec_writer")
    op.add_column(
        "runs",
        sa.Column(
            "co_purchase_set_no",
            sa.Integer(),
            nullable=True,
            comment="the co-purchases it uses; NULL: not one of its sources, or pruned",
        ),
    )
    op.create_foreign_key(
        "fk_runs_co_purchase_set_no_co_purchase_sets",
        "runs",
        "co_purchase_sets",
        ["co_purchase_set_no"],
        ["set_no"],
    )
    op.add_column(
        "recommendations",
        sa.Column(
            "from_item_no",
            sa.Integer(),
            nullable=True,
            comment=(
                "bought item that it is a neighbour of (co_purchase), or whose title found it "
                "(history_title); NULL: other sources"
            ),
        ),
    )
    op.add_column(
        "recommendations",
        sa.Column(
            "fused_score",
            sa.REAL(),
            nullable=True,
            comment="weighted sum over the run's sources; NULL: fallback, or queries alone",
        ),
    )
    _set_sources(NEW_SOURCES)
    _comment("", TABLE_COMMENTS.new)
    for name, (where, _) in LISTS.items():
        op.execute(f"CREATE OR REPLACE VIEW analytics.{name} AS {NEW}{where}")
        _comment(f"analytics.{name}.", {**LIST_COMMENTS.new, **ADDED_COMMENTS})
    _comment(
        "analytics.user_outcomes.",
        {"found_count": "recommendations that the run's sources found, before fallbacks"},
    )
    for name, (definition, comment, columns) in NEW_VIEWS.items():
        op.execute(definition)
        op.execute(f"GRANT SELECT ON analytics.{name} TO gpt4rec_analyst, gpt4rec_writer")
        op.execute(f"COMMENT ON VIEW analytics.{name} IS {_literal(comment)}")
        _comment(f"analytics.{name}.", columns)


def downgrade() -> None:
    for name in NEW_VIEWS:
        op.execute(f"DROP VIEW analytics.{name}")
    for name, (where, comment) in LISTS.items():
        # A view cannot lose columns by being replaced.
        op.execute(f"DROP VIEW analytics.{name}")
        op.execute(f"CREATE VIEW analytics.{name} AS {OLD}{where}")
        op.execute(f"GRANT SELECT ON analytics.{name} TO gpt4rec_analyst, gpt4rec_writer")
        op.execute(f"COMMENT ON VIEW analytics.{name} IS {_literal(comment)}")
        _comment(f"analytics.{name}.", {**KEPT_COMMENTS, **LIST_COMMENTS.old})
    _comment(
        "analytics.user_outcomes.",
        {"found_count": "recommendations that generated queries found, before fallbacks"},
    )
    _comment("", TABLE_COMMENTS.old)
    # What they recommended cannot be told any more.
    op.execute("DELETE FROM recommendations WHERE source IN ('co_purchase', 'history_title')")
    _set_sources(OLD_SOURCES)
    op.drop_column("recommendations", "fused_score")
    op.drop_column("recommendations", "from_item_no")
    op.drop_column("runs", "co_purchase_set_no")
    for table in reversed(TABLES):
        op.drop_table(table)
