"""Evaluations with their metrics and lists, and the views of them."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
# In the order in which they are made.
TABLES = ("evaluations", "evaluation_metrics", "evaluation_lists")

EVALUATION_ID = {"evaluation_id": "number of the evaluation"}
# name -> comment, columns with their comments, and where they come from.
VIEWS = {
    "evaluations": (
        "One row per evaluation: one method with one setting on one part of a split.",
        {
            **EVALUATION_ID,
            "split_name": "name of the split",
            "part": "validation or test",
            "method": "name of the recommender that was measured",
            "evaluated_query_count": "queries per user; NULL: none generated",
            "evaluated_generator_name": "generator of the queries; NULL: none generated",
            "evaluated_generator_hash": "its content hash; NULL: none generated",
            "index_name": "the build whose titles were searched",
            "k1": "BM25 k1: how soon repeated terms stop to count, >= 0",
            "b": "BM25 b: how much long titles are marked down, 0 to 1",
            "case_count": "users recommended to",
            "evaluation_code_version": "the code that measured",
            "evaluation_duration_s": "seconds it took, generation included",
            "evaluation_actor": "who started it",
            "evaluated_at": "time it was stored",
        },
        (
            "SELECT e.evaluation_no, s.name, e.part, e.method, e.num_queries, e.generator_name, "
            "e.content_hash, e.index_name, e.k1, e.b, e.n_cases, e.code_version, e.seconds, "
            "e.actor, e.created_at FROM public.evaluations AS e JOIN public.splits AS s "
            "USING (split_no)"
        ),
    ),
    "evaluation_metrics": (
        "One row per evaluation, list length, segment and metric.",
        {
            **EVALUATION_ID,
            "list_length": "items asked for per user: K",
            "user_segment": "group of users; all: everybody",
            "metric_name": "name of the metric, as recall, ndcg, diversity_category",
            "metric_mean": "mean over users",
            "metric_low": "lower end of its 95 % interval; NULL: no mean over users",
            "metric_high": "upper end of its 95 % interval; NULL: no mean over users",
            "metric_user_count": "users who have a value",
        },
        (
            "SELECT evaluation_no, k, segment, metric, mean, low, high, n_users "
            "FROM public.evaluation_metrics"
        ),
    ),
}


def upgrade() -> None:
    op.create_table(
        "evaluations",
        _column("evaluation_no", sa.Integer(), "number of the evaluation", sa.Identity()),
        _column("split_no", sa.Integer(), "the split"),
        _column("part", sa.Text(), "validation or test"),
        _column("method", sa.Text(), "name of the recommender that was measured"),
        _column(
            "num_queries",
            sa.SmallInteger(),
            "queries per user; NULL: none generated",
            nullable=True,
        ),
        _column(
            "generator_name",
            sa.Text(),
            "generator of the queries; NULL: none generated",
            nullable=True,
        ),
        _column("content_hash", sa.Text(), "its content hash; NULL: none generated", nullable=True),
        _column("options", postgresql.JSONB(), "all other options by name"),
        _column("k1", sa.REAL(), "BM25 k1"),
        _column("b", sa.REAL(), "BM25 b"),
        _column("index_name", sa.Text(collation="C"), "the build whose titles were searched"),
        _column("n_cases", sa.Integer(), "users recommended to"),
        _column("code_version", sa.Text(), "the code that measured"),
        _column("seconds", sa.REAL(), "time it took, generation included"),
        _column("actor", sa.Text(), "who started it"),
        _column(
            "created_at", TIME, "time it was stored", server_default=sa.text("clock_timestamp()")
        ),
        sa.CheckConstraint("part IN ('validation', 'test')", name=op.f("ck_evaluations_part")),
        sa.ForeignKeyConstraint(
            ["split_no"], ["splits.split_no"], name="fk_evaluations_split_no_splits"
        ),
        sa.PrimaryKeyConstraint("evaluation_no", name="pk_evaluations"),
        comment="One row per evaluation: one method with one setting on one part of a split.",
    )
    op.create_index("ix_evaluations_split_no", "evaluations", ["split_no"])
    op.create_table(
        "evaluation_metrics",
        _column("evaluation_no", sa.Integer(), "the evaluation"),
        _column("k", sa.SmallInteger(), "items asked for"),
        _column("segment", sa.Text(), "group of cases; all: every case"),
        _column("metric", sa.Text(), "name of the metric"),
        _column("mean", sa.Float(), "mean over users"),
        _column(
            "low",
            sa.Float(),
            "lower end of its 95 % interval; NULL: no mean over users",
            nullable=True,
        ),
        _column(
            "high",
            sa.Float(),
            "upper end of its 95 % interval; NULL: no mean over users",
            nullable=True,
        ),
        _column("n_users", sa.Integer(), "users who have a value"),
        _of_evaluation("evaluation_metrics"),
        sa.PrimaryKeyConstraint(
            "evaluation_no", "k", "segment", "metric", name="pk_evaluation_metrics"
        ),
        comment="One row per evaluation, list length, segment and metric.",
    )
    op.create_table(
        "evaluation_lists",
        _column("evaluation_no", sa.Integer(), "the evaluation"),
        _column("k", sa.SmallInteger(), "items asked for"),
        _column("user_no", sa.Integer(), "the user"),
        _column("item_nos", postgresql.ARRAY(sa.Integer()), "recommended items, best first"),
        _of_evaluation("evaluation_lists"),
        sa.ForeignKeyConstraint(
            ["user_no"],
            ["users.user_no"],
            name="fk_evaluation_lists_user_no_users",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("evaluation_no", "k", "user_no", name="pk_evaluation_lists"),
        comment="One row per evaluation, list length and user.",
    )
    op.create_index("ix_evaluation_lists_user_no", "evaluation_lists", ["user_no"])
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO gpt4rec_writer")
    for name, (comment, columns, select) in VIEWS.items():
        view = f"analytics.{name}"
        op.execute(f"CREATE VIEW {view} ({', '.join(columns)}) AS {select}")
        op.execute(f"GRANT SELECT ON {view} TO gpt4rec_analyst, gpt4rec_writer")
        op.execute(f"COMMENT ON VIEW {view} IS {_literal(comment)}")
        for column, meaning in columns.items():
            op.execute(f"COMMENT ON COLUMN {view}.{column} IS {_literal(meaning)}")


def downgrade() -> None:
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW analytics.{name}")
    for table in reversed(TABLES):
        op.drop_table(table)


def _column(
    name: str,
    kind: sa.types.TypeEngine[Any],
    comment: str,
    *default: sa.Identity,
    server_default: sa.TextClause | None = None,
    nullable: bool = False,
) -> sa.Column[Any]:
    return sa.Column(
        name, kind, *default, comment=comment, server_default=server_default, nullable=nullable
    )


def _of_evaluation(table: str) -> sa.ForeignKeyConstraint:
    """Return the key of a table whose rows go with their evaluation."""
    return sa.ForeignKeyConstraint(
        ["evaluation_no"],
        ["evaluations.evaluation_no"],
        name=f"fk_{table}_evaluation_no_evaluations",
        ondelete="CASCADE",
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
