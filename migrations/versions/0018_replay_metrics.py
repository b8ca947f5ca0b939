"""Metrics of replays by a split, and the view of them."""

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels = None
depends_on = None

COMMENT = "One row per replay and metric, where a split was named."
COLUMNS = {
    "replay_id": "number of the replay",
    "split_name": "split whose held-out items were looked for",
    "replay_part": "validation or test",
    "replay_metric": "recall, hit_rate, ndcg or mrr at the replay's k",
    "replay_user_count": "users measured",
    "stored_mean": "mean of the run's own lists",
    "replayed_mean": "mean of the replayed lists",
    "replay_gain": "mean difference",
    "replay_gain_low": "low end of its paired 95 % interval",
    "replay_gain_high": "high end of its paired 95 % interval",
    "replay_p_value": "chance of such a difference by chance alone; corrected for the number of "
    "metrics",
}
SELECT = """
SELECT replay_no, split_name, part, metric, n_users, stored, replayed, gain, gain_low, gain_high,
    p_value
FROM public.replay_metrics
"""


def upgrade() -> None:
    number = sa.Float()
    op.create_table(
        "replay_metrics",
        sa.Column("replay_no", sa.Integer(), nullable=False, comment="the replay"),
        sa.Column(
            "metric", sa.Text(), nullable=False, comment="recall, hit_rate, ndcg or mrr at its k"
        ),
        sa.Column(
            "split_name",
            sa.Text(),
            nullable=False,
            comment="split whose held-out items were looked for",
        ),
        sa.Column("part", sa.Text(), nullable=False, comment="validation or test"),
        sa.Column("n_users", sa.Integer(), nullable=False, comment="users measured"),
        sa.Column("stored", number, nullable=False, comment="mean of the run's own lists"),
        sa.Column("replayed", number, nullable=False, comment="mean of the replayed lists"),
        sa.Column("gain", number, nullable=False, comment="mean difference"),
        sa.Column(
            "gain_low", number, nullable=False, comment="low end of its paired 95 % interval"
        ),
        sa.Column(
            "gain_high", number, nullable=False, comment="high end of its paired 95 % interval"
        ),
        sa.Column(
            "p_value",
            number,
            nullable=False,
            comment=(
                "chance of such a difference by chance alone; corrected for the number of metrics"
            ),
        ),
        sa.ForeignKeyConstraint(
            ["replay_no"],
            ["replays.replay_no"],
            name="fk_replay_metrics_replay_no_replays",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("replay_no", "metric", name="pk_replay_metrics"),
        comment=COMMENT,
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON replay_metrics TO gpt4rec_writer")
    view = "analytics.replay_metrics"
    op.execute(f"CREATE VIEW {view} ({', '.join(COLUMNS)}) AS {SELECT}")
    op.execute(f"GRANT SELECT ON {view} TO gpt4rec_analyst, gpt4rec_writer")
    op.execute(f"COMMENT ON VIEW {view} IS '{COMMENT}'")
    for column, comment in COLUMNS.items():
        literal = comment.replace("'", "''")
        op.execute(f"COMMENT ON COLUMN {view}.{column} IS '{literal}'")


def downgrade() -> None:
    op.execute("DROP VIEW analytics.replay_metrics")
    op.drop_table("replay_metrics")
