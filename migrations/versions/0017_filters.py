"""Query filters, what they said of queries, and the view of what they removed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gpt4rec_es.db.views import View, create_views, drop_views

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels = None
depends_on = None

VIEWS = (
    View(
        "removed_queries",
        "One row per kept run and generated query that its filters kept from being searched for.",
        {
            "run_id": "the run",
            "logical_date": "the date the run recommends for, in the schedule's time zone",
            "query_id": "number of the query text, the same in every view and run",
            "query": "the query text: what the user would type next",
            "removal_reason": "phrase (a forbidden one), script (letters that titles do not use) "
            "or unknown (terms that no title has)",
            "removal_detail": "the phrase, the scripts, or how many terms",
            "removed_user_count": "users that the query was generated for",
        },
        """
        SELECT r.run_id, r.logical_date, q.query_no, q.text, v.reason, v.detail,
            count(*)::integer
        FROM public.runs AS r
        JOIN public.generators AS t USING (generator_no)
        JOIN public.query_verdicts AS v
            ON v.filters_no = r.filters_no AND v.reason IS NOT NULL
        JOIN public.queries AS q ON q.query_no = v.query_no
        JOIN public.generated_queries AS gq ON gq.query_no = v.query_no
        JOIN public.generations AS g ON g.generation_no = gq.generation_no
            AND g.content_hash = t.content_hash AND g.decoding_no = r.decoding_no
        JOIN public.run_users AS ru ON ru.run_no = r.run_no AND ru.prompt_no = g.prompt_no
        GROUP BY r.run_no, q.query_no, v.reason, v.detail
        """,
    ),
)


def upgrade() -> None:
    op.create_table(
        "query_filters",
        sa.Column(
            "filters_no",
            sa.Integer(),
            sa.Identity(),
            nullable=False,
            comment="number of the filters",
        ),
        sa.Column(
            "filters_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="128-bit hash of the settings",
        ),
        sa.Column(
            "settings",
            postgresql.JSONB(),
            nullable=False,
            comment="what is filtered, with the hash of the phrases",
        ),
        sa.Column(
            "phrases",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="forbidden phrases; empty: none",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="time of the first run that had them",
        ),
        sa.PrimaryKeyConstraint("filters_no", name=op.f("pk_query_filters")),
        sa.UniqueConstraint("filters_hash", name=op.f("uq_query_filters_filters_hash")),
        comment="One row per distinct set of query filters.",
    )
    op.create_table(
        "query_verdicts",
        sa.Column("filters_no", sa.Integer(), nullable=False, comment="filters"),
        sa.Column("query_no", sa.BigInteger(), nullable=False, comment="the query"),
        sa.Column("reason", sa.Text(), comment="phrase, script or unknown; NULL: it passed"),
        sa.Column("detail", sa.Text(), comment="what was found in it; NULL: it passed"),
        sa.CheckConstraint(
            "reason IN ('phrase', 'script', 'unknown')", name=op.f("ck_query_verdicts_reason")
        ),
        sa.ForeignKeyConstraint(
            ["filters_no"],
            ["query_filters.filters_no"],
            name=op.f("fk_query_verdicts_filters_no_query_filters"),
        ),
        sa.ForeignKeyConstraint(
            ["query_no"],
            ["queries.query_no"],
            name=op.f("fk_query_verdicts_query_no_queries"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("filters_no", "query_no", name=op.f("pk_query_verdicts")),
        comment="One row per filters and query that went through them.",
    )
    op.create_index("ix_query_verdicts_query_no", "query_verdicts", ["query_no"])
    op.add_column(
        "runs",
        sa.Column(
            "filters_no",
            sa.Integer(),
            comment="what its queries must pass; NULL: all are searched",
        ),
    )
    op.create_foreign_key(
        op.f("fk_runs_filters_no_query_filters"),
        "runs",
        "query_filters",
        ["filters_no"],
        ["filters_no"],
    )
    op.execute(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON query_filters, query_verdicts TO gpt4rec_writer"
    )
    create_views(op.execute, VIEWS)


def downgrade() -> None:
    drop_views(op.execute, VIEWS)
    op.drop_column("runs", "filters_no")
    op.drop_table("query_verdicts")
    op.drop_table("query_filters")
