"""Replays: what merging a night again with other settings came to, and the view of it."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")

COMMENT = "One row per replay: a run merged again from stored queries with other settings."
COLUMNS = {
    "replay_id": "number of the replay",
    "run_id": "the run that was merged again",
    "logical_date": "the date the run recommends for, in the schedule's time zone",
    "changed_settings": "JSON: what was changed, by name of the run's input: [then, now]",
    "replay_k": "items per user in the replay",
    "used_queries": "queries per user that were used",
    "k1": "BM25 k1 of the replay",
    "b": "BM25 b of the replay",
    "replay_excludes_bought": "whether bought items were left out",
    "replayed_users": "users merged",
    "replayed_count": "recommendations of the replay",
    "search_count": "searches made, beyond the stored ones",
    "is_equal": "whether all rows are those of the run",
    "differing_rows": "rows, stored or replayed, without an equal on the other side",
    "equal_list_count": "users whose list stayed the same",
    "mean_jaccard": "mean over users of common items by all items of both lists; NULL: no lists",
    "jaccard_deciles": "the same at 0, 10, ... 100 % of users; empty: no lists",
    "replay_actor": "who replayed it",
    "replayed_at": "time of the replay",
}
SELECT = """
SELECT p.replay_no, r.run_id, r.logical_date, p.changed, p.k, p.num_queries::integer,
    p.k1::real, p.b::real, p.exclude_bought, p.n_users, p.n_recommendations, p.n_searches,
    p.differing_rows = 0, p.differing_rows, p.equal_lists, p.mean_jaccard, p.jaccard_deciles,
    p.actor, p.replayed_at
FROM public.replays AS p JOIN public.runs AS r USING (run_no)
"""


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


def upgrade() -> None:
    op.create_table(
        "replays",
        _column("replay_no", sa.Integer(), "number of the replay", sa.Identity()),
        _column("run_no", sa.Integer(), "the run that was merged again"),
        _column(
            "changed",
            postgresql.JSONB(),
            "manifest entries that were changed, by dotted name: [then, now]",
        ),
        _column("k", sa.SmallInteger(), "items per user in the replay"),
        _column("num_queries", sa.SmallInteger(), "queries per user that were used"),
        _column("k1", sa.Float(), "BM25 k1 of the replay"),
        _column("b", sa.Float(), "BM25 b of the replay"),
        _column("exclude_bought", sa.Boolean(), "whether bought items were left out"),
        _column("n_users", sa.Integer(), "users merged"),
        _column("n_recommendations", sa.BigInteger(), "rows of the replayed lists"),
        _column("n_searches", sa.BigInteger(), "searches made, beyond the stored ones"),
        _column(
            "differing_rows",
            sa.BigInteger(),
            "rows, stored or replayed, without an equal on the other side; 0: the same result",
        ),
        _column("equal_lists", sa.Integer(), "users whose list stayed the same"),
        _column(
            "mean_jaccard",
            sa.Float(),
            "mean over users of common items by all items of both lists; NULL: no lists",
            nullable=True,
        ),
        _column(
            "jaccard_deciles",
            postgresql.ARRAY(sa.REAL()),
            "the same at 0, 10, ... 100 % of users; empty: no lists",
        ),
        _column("actor", sa.Text(), "who replayed it"),
        _column("replayed_at", TIME, "time of the replay", server_default=NOW),
        sa.ForeignKeyConstraint(
            ["run_no"], ["runs.run_no"], name="fk_replays_run_no_runs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("replay_no", name="pk_replays"),
        comment=COMMENT,
    )
    op.create_index("ix_replays_run_no", "replays", ["run_no"])
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON replays TO gpt4rec_writer")
    op.execute(f"CREATE VIEW analytics.replays ({', '.join(COLUMNS)}) AS {SELECT}")
    op.execute("GRANT SELECT ON analytics.replays TO gpt4rec_analyst, gpt4rec_writer")
    op.execute(f"COMMENT ON VIEW analytics.replays IS '{COMMENT}'")
    for column, comment in COLUMNS.items():
        literal = comment.replace("'", "''")
        op.execute(f"COMMENT ON COLUMN analytics.replays.{column} IS '{literal}'")


def downgrade() -> None:
    op.execute("DROP VIEW analytics.replays")
    op.drop_table("replays")
