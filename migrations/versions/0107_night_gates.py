"""Measured values of nights, importance of gates, and users with a hidden purchase."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0107"
down_revision: str | None = "0106"
branch_labels = None
depends_on = None

_RUN = "fk_{}_run_no_runs"


def upgrade() -> None:
    _create_run_measures()
    _create_held_out_users()
    op.add_column(
        "gate_results",
        sa.Column(
            "importance",
            sa.SmallInteger(),
            comment="1-based place among the gates, the most important first; NULL: not known",
        ),
    )
    op.add_column(
        "gate_results",
        sa.Column(
            "is_blocking",
            sa.Boolean(),
            nullable=False,
            server_default=sa.true(),
            comment="whether a run that does not pass is rejected; false: it is only a warning",
        ),
    )
    op.add_column(
        "gate_results",
        sa.Column(
            "reason",
            sa.Text(),
            comment="what a run that does not pass probably suffers from; NULL: not known",
        ),
    )
    op.execute(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON run_measures, held_out_users TO gpt4rec_writer"
    )


def downgrade() -> None:
    op.execute(verbatim(DROP_VIEWS))
    for column in ("reason", "is_blocking", "importance"):
        op.drop_column("gate_results", column)
    op.drop_table("held_out_users")
    op.drop_table("run_measures")


def _create_run_measures() -> None:
    op.create_table(
        "run_measures",
        sa.Column("run_no", sa.Integer(), nullable=False, comment="run that was measured"),
        sa.Column("measure", sa.Text(), nullable=False, comment="name of the measure"),
        sa.Column(
            "value",
            sa.Double(),
            comment="the measured value; NULL: there was nothing to measure it on",
        ),
        sa.Column(
            "n",
            sa.BigInteger(),
            nullable=False,
            comment="number of users, places, queries or items that the value is measured on",
        ),
        sa.Column(
            "usual",
            sa.Double(),
            comment=(
                "median of the measure over the nights published last before the run, 7 at most; "
                "NULL: fewer than 3 have it"
            ),
        ),
        sa.Column(
            "measured_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.clock_timestamp(),
            nullable=False,
            comment="time of the measurement",
        ),
        sa.PrimaryKeyConstraint("run_no", "measure", name="pk_run_measures"),
        sa.ForeignKeyConstraint(
            ["run_no"], ["runs.run_no"], name=_RUN.format("run_measures"), ondelete="CASCADE"
        ),
        comment=(
            "One row per run and measure: what gates measured. Stays when the run's lists are "
            "pruned."
        ),
    )


def _create_held_out_users() -> None:
    op.create_table(
        "held_out_users",
        sa.Column("run_no", sa.Integer(), nullable=False, comment="run that the user belongs to"),
        sa.Column("user_no", sa.Integer(), nullable=False, comment="user of the run's cohort"),
        sa.Column("target_item_no", sa.Integer(), nullable=False, comment="the hidden purchase"),
        sa.Column(
            "prompt_no",
            sa.BigInteger(),
            comment="prompt without the hidden purchase; NULL: the user has none",
        ),
        sa.Column(
            "last_query_no",
            sa.BigInteger(),
            comment="newest title before the hidden purchase, as a query; NULL: there is none",
        ),
        sa.Column(
            "bought_item_nos",
            ARRAY(sa.Integer()),
            nullable=False,
            comment="the other purchases, each item once, newest first",
        ),
        sa.PrimaryKeyConstraint("run_no", "user_no", name="pk_held_out_users"),
        sa.ForeignKeyConstraint(
            ["run_no"], ["runs.run_no"], name=_RUN.format("held_out_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_no"], ["users.user_no"], name="fk_held_out_users_user_no_users"
        ),
        sa.ForeignKeyConstraint(
            ["target_item_no"], ["items.item_no"], name="fk_held_out_users_target_item_no_items"
        ),
        sa.ForeignKeyConstraint(
            ["prompt_no"], ["prompts.prompt_no"], name="fk_held_out_users_prompt_no_prompts"
        ),
        sa.ForeignKeyConstraint(
            ["last_query_no"], ["queries.query_no"], name="fk_held_out_users_last_query_no_queries"
        ),
        comment=(
            "One row per user of a run's sample whose last purchase is hidden, to measure how "
            "often the run's recipe finds it."
        ),
    )
    for column in ("prompt_no", "last_query_no", "user_no"):
        op.create_index(f"ix_held_out_users_{column}", "held_out_users", [column])
