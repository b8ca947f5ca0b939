"""Sums that outlive a run's lists, the words of queries as an index, and the views on both."""

import sqlalchemy as sa
from alembic import op

from gpt4rec_es.db.views import View, create_views, drop_views

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels = None
depends_on = None

TABLES = ("daily_runs", "daily_queries", "daily_examples", "daily_items", "daily_coverage")

DAY = {
    "run_id": "the run",
    "logical_date": "the date the run recommends for, in the schedule's time zone",
}
QUERY = {
    "query_id": "number of the query text, the same in every view and run",
    "query": "the query text: what the user would type next",
}
ITEM = {"item_id": "the shop's item id", "title": "cleaned title; NULL: none usable"}
# The run that counts for its date, whatever else was published for it.
COUNTED = """
    FROM public.daily_runs AS day
    JOIN public.runs AS r ON r.run_no = day.run_no AND day.kind = 'nightly'
"""
VIEWS = (
    View(
        "queries",
        "One row per distinct query text that is kept: of a kept run, or of a date's sums.",
        {
            **QUERY,
            "query_words": "its words, to be searched: WHERE query_words @@ "
            "websearch_to_tsquery('simple', 'red lamp')",
            "first_written_at": "time it was first needed",
        },
        "SELECT query_no, text, to_tsvector('simple'::regconfig, text), created_at "
        "FROM public.queries",
    ),
    View(
        "daily_queries",
        "One row per date and distinct query of the run last published for it. Outlives the run's "
        "lists; queries of fewer users than the run asked for are left out.",
        {
            **DAY,
            **QUERY,
            "query_user_count": "users that the query was generated for",
            "query_hit_count": "hits known of it, at most the run's first depth; NULL: it was not "
            "searched",
            "has_more_hits": "whether there are hits beyond those",
            "found_recommendation_count": "recommendations that it found",
        },
        f"""
        SELECT r.run_id, day.logical_date, q.query_no, q.text, d.n_users, d.n_hits,
            d.has_more_hits, d.n_recommended
        {COUNTED}
        JOIN public.daily_queries AS d ON d.run_no = day.run_no
        JOIN public.queries AS q ON q.query_no = d.query_no
        """,
    ),
    View(
        "daily_gaps",
        "One row per date and query that found nothing: what the assortment lacks. Outlives the "
        "run's lists.",
        {
            **DAY,
            **QUERY,
            "gap_user_count": "users that the query was generated for",
            "example_titles": "commonest newest titles of those users, at most three; may be empty",
        },
        f"""
        SELECT r.run_id, day.logical_date, q.query_no, q.text, d.n_users,
            ARRAY(
                SELECT i.title
                FROM public.daily_examples AS e JOIN public.items AS i USING (item_no)
                WHERE e.run_no = d.run_no AND e.query_no = d.query_no ORDER BY e.place)
        {COUNTED}
        JOIN public.daily_queries AS d ON d.run_no = day.run_no
        JOIN public.queries AS q ON q.query_no = d.query_no
        WHERE d.n_hits = 0 AND NOT d.is_empty_query
        """,  # noqa: S608 -- nothing but a constant is put in
    ),
    View(
        "daily_items",
        "One row per date and item that was recommended. Outlives the run's lists.",
        {
            **DAY,
            **ITEM,
            "recommended_user_count": "users it was recommended to",
            "by_query_count": "of those, users for whom a generated query found it",
        },
        f"""
        SELECT r.run_id, day.logical_date, i.item_id, i.title, d.n_users, d.n_by_query
        {COUNTED}
        JOIN public.daily_items AS d ON d.run_no = day.run_no
        JOIN public.items AS i ON i.item_no = d.item_no
        """,
    ),
    View(
        "never_recommended_items",
        "One row per item that may be recommended and was on no date that has sums.",
        {
            **ITEM,
            "brand": "brand; NULL: unknown",
            "category": "category path, levels joined by ' > '; NULL: unknown",
        },
        """
        SELECT i.item_id, i.title, i.brand, i.category FROM public.items AS i
        WHERE i.is_active AND i.title IS NOT NULL AND NOT EXISTS (
            SELECT FROM public.daily_items AS d JOIN public.daily_runs AS day USING (run_no)
            WHERE d.item_no = i.item_no)
        """,
    ),
    View(
        "daily_coverage",
        "One row per date and brand, category, or all: how much of the catalog shows. Outlives the "
        "run's lists.",
        {
            **DAY,
            "coverage_of": "all, brand or category",
            "coverage_value": "the brand or category path; NULL: items without one, or all items",
            "offered_item_count": "items that could be recommended at the time of publishing",
            "recommended_item_count": "of those, items recommended to anybody",
            "given_recommendation_count": "recommendations of those",
        },
        f"""
        SELECT r.run_id, day.logical_date, d.of, nullif(d.value, ''), d.n_items,
            d.n_recommended_items, d.n_recommendations
        {COUNTED}
        JOIN public.daily_coverage AS d ON d.run_no = day.run_no
        """,
    ),
)


def _run_column(comment: str = "the run") -> sa.Column[int]:
    return sa.Column("run_no", sa.Integer(), nullable=False, comment=comment)


def _foreign_key(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.{column}"], name=name)


def upgrade() -> None:
    op.create_table(
        "daily_runs",
        sa.Column("kind", sa.Text(), nullable=False, comment="kind of run"),
        sa.Column("logical_date", sa.Date(), nullable=False, comment="the date"),
        _run_column("the run last published for that date"),
        _foreign_key("daily_runs", "run_no", "runs"),
        sa.PrimaryKeyConstraint("kind", "logical_date", name=op.f("pk_daily_runs")),
        sa.UniqueConstraint("run_no", name=op.f("uq_daily_runs_run_no")),
        comment="One row per kind and date: the run whose sums count for the date.",
    )
    _create_daily_queries()
    _create_daily_items()
    op.create_index(
        "ix_queries_words",
        "queries",
        [sa.text("to_tsvector('simple'::regconfig, text)")],
        postgresql_using="gin",
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO gpt4rec_writer")
    create_views(op.execute, VIEWS)


def _create_daily_queries() -> None:
    op.create_table(
        "daily_queries",
        _run_column(),
        sa.Column("query_no", sa.BigInteger(), nullable=False, comment="the query"),
        sa.Column("n_users", sa.Integer(), nullable=False, comment="users it was generated for"),
        sa.Column(
            "n_hits",
            sa.Integer(),
            comment="hits known of it, at most the run's depth; NULL: it was not searched",
        ),
        sa.Column(
            "has_more_hits",
            sa.Boolean(),
            nullable=False,
            comment="whether the search stopped at the run's depth",
        ),
        sa.Column(
            "is_empty_query",
            sa.Boolean(),
            nullable=False,
            comment="no token of the text was left after analysis",
        ),
        sa.Column(
            "n_recommended", sa.Integer(), nullable=False, comment="recommendations that it found"
        ),
        _foreign_key("daily_queries", "run_no", "runs"),
        _foreign_key("daily_queries", "query_no", "queries"),
        sa.PrimaryKeyConstraint("run_no", "query_no", name=op.f("pk_daily_queries")),
        comment=(
            "One row per run and distinct query of at least as many users as the run asks for."
        ),
    )
    op.create_index("ix_daily_queries_query_no", "daily_queries", ["query_no"])
    op.create_table(
        "daily_examples",
        _run_column(),
        sa.Column("query_no", sa.BigInteger(), nullable=False, comment="the query"),
        sa.Column(
            "place",
            sa.SmallInteger(),
            nullable=False,
            comment="1-based, by how many of its users share the title",
        ),
        sa.Column("item_no", sa.Integer(), nullable=False, comment="newest title bought"),
        sa.Column(
            "user_no",
            sa.Integer(),
            nullable=False,
            comment="a user with that title, to be forgotten by",
        ),
        _foreign_key("daily_examples", "run_no", "runs"),
        _foreign_key("daily_examples", "item_no", "items"),
        sa.PrimaryKeyConstraint("run_no", "query_no", "place", name=op.f("pk_daily_examples")),
        comment="One row per run, query without hits and example of its users' last titles.",
    )
    op.create_index("ix_daily_examples_user_no", "daily_examples", ["user_no"])


def _create_daily_items() -> None:
    op.create_table(
        "daily_items",
        _run_column(),
        sa.Column("item_no", sa.Integer(), nullable=False, comment="the item"),
        sa.Column("n_users", sa.Integer(), nullable=False, comment="users it was recommended to"),
        sa.Column(
            "n_by_query",
            sa.Integer(),
            nullable=False,
            comment="of those, found by a generated query",
        ),
        _foreign_key("daily_items", "run_no", "runs"),
        _foreign_key("daily_items", "item_no", "items"),
        sa.PrimaryKeyConstraint("run_no", "item_no", name=op.f("pk_daily_items")),
        comment="One row per run and item that was recommended.",
    )
    op.create_index("ix_daily_items_item_no", "daily_items", ["item_no"])
    op.create_table(
        "daily_coverage",
        _run_column(),
        sa.Column("of", sa.Text(), nullable=False, comment="all, brand or category"),
        sa.Column("value", sa.Text(), nullable=False, comment="its name; empty: unknown, or all"),
        sa.Column(
            "n_items",
            sa.Integer(),
            nullable=False,
            comment="items that could be recommended then",
        ),
        sa.Column(
            "n_recommended_items",
            sa.Integer(),
            nullable=False,
            comment="of those, recommended ones",
        ),
        sa.Column(
            "n_recommendations",
            sa.BigInteger(),
            nullable=False,
            comment="recommendations of those",
        ),
        sa.CheckConstraint(
            "\"of\" IN ('all', 'brand', 'category')", name=op.f("ck_daily_coverage_of")
        ),
        _foreign_key("daily_coverage", "run_no", "runs"),
        sa.PrimaryKeyConstraint("run_no", "of", "value", name=op.f("pk_daily_coverage")),
        comment=(
            "One row per run and brand or category, and one for all: how much of the catalog shows."
        ),
    )


def downgrade() -> None:
    drop_views(op.execute, VIEWS)
    op.drop_index("ix_queries_words", "queries")
    for table in reversed(TABLES):
        op.drop_table(table)
