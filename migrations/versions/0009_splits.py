"""Splits of the histories, and their views."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels = None
depends_on = None

# In the order in which they are made.
TABLES = ("splits", "split_train", "split_cases", "split_prompts")

SPLIT_NAME = {"split_name": "name of the split"}
# name -> comment, columns with their comments, and where they come from.
VIEWS = {
    "splits": (
        "One row per split of the histories into training, validation and test.",
        {
            **SPLIT_NAME,
            "split_protocol": "leave-one-out, users, gpt4rec, next-basket or global-time",
            "split_seed": "seed of a split by users",
            "tie_seed": "seed by which purchases of one moment were shuffled; NULL: stored order",
            "split_hash": "hash of its content by external ids",
            "has_times": "whether gaps in time are known",
            "training_user_count": "users to learn from",
            "validation_case_count": "users to recommend to for validation",
            "test_case_count": "users to recommend to for the test",
            "left_out_user_count": "users with too little to be measured",
            "split_actor": "who made it",
            "split_created_at": "time it was made",
        },
        (
            "SELECT name, protocol, (options ->> 'seed')::bigint, "
            "(options ->> 'shuffle_ties')::bigint, content_hash, has_times, n_train, n_validation, "
            "n_test, n_left_out, actor, created_at FROM public.splits"
        ),
    ),
    "qrels": (
        "One row per split, part, user and held-out item. Filter by split_name.",
        {
            **SPLIT_NAME,
            "part": "validation or test",
            "user_id": "the shop's user id",
            "item_id": "the shop's item id",
            "known_item_count": "items of the user that are known beforehand",
        },
        (
            "SELECT s.name, c.part, u.user_id, i.item_id, cardinality(c.history) "
            "FROM public.splits AS s JOIN public.split_cases AS c USING (split_no) "
            "JOIN public.users AS u USING (user_no) CROSS JOIN unnest(c.targets) AS t (item_no) "
            "JOIN public.items AS i ON i.item_no = t.item_no"
        ),
    ),
}


def upgrade() -> None:
    op.create_table(
        "splits",
        sa.Column(
            "split_no", sa.Integer(), sa.Identity(), nullable=False, comment="number of the split"
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="name to call it by"),
        sa.Column(
            "protocol",
            sa.Text(),
            nullable=False,
            comment="leave-one-out, users, gpt4rec, next-basket or global-time",
        ),
        sa.Column("options", postgresql.JSONB(), nullable=False, comment="all options by name"),
        sa.Column(
            "content_hash",
            sa.Text(),
            nullable=False,
            comment="hash of all its parts by external ids: equal for equal splits of any database",
        ),
        sa.Column(
            "has_times", sa.Boolean(), nullable=False, comment="whether gaps in time are known"
        ),
        sa.Column(
            "history_version",
            sa.BigInteger(),
            nullable=False,
            comment="interactions up to this version were split",
        ),
        sa.Column(
            "catalog_version",
            sa.BigInteger(),
            nullable=False,
            comment="catalog version at that time",
        ),
        sa.Column("n_train", sa.Integer(), nullable=False, comment="users to learn from"),
        sa.Column("n_validation", sa.Integer(), nullable=False, comment="cases for validation"),
        sa.Column("n_test", sa.Integer(), nullable=False, comment="cases for the test"),
        sa.Column(
            "n_left_out",
            sa.Integer(),
            nullable=False,
            comment="users with too little to be measured",
        ),
        sa.Column("actor", sa.Text(), nullable=False, comment="who made it"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="time it was made",
        ),
        sa.PrimaryKeyConstraint("split_no", name="pk_splits"),
        sa.UniqueConstraint("name", name="uq_splits_name"),
        comment="One row per split of the histories into training, validation and test.",
    )
    op.create_table(
        "split_train",
        sa.Column("split_no", sa.Integer(), nullable=False, comment="the split"),
        sa.Column("user_no", sa.Integer(), nullable=False, comment="the user"),
        sa.Column(
            "item_nos",
            postgresql.ARRAY(sa.Integer()),
            nullable=False,
            comment="what may be learned, oldest first",
        ),
        *_foreign_keys("split_train"),
        sa.PrimaryKeyConstraint("split_no", "user_no", name="pk_split_train"),
        comment="One row per split and user to learn from.",
    )
    op.create_index("ix_split_train_user_no", "split_train", ["user_no"])
    op.create_table(
        "split_cases",
        sa.Column("split_no", sa.Integer(), nullable=False, comment="the split"),
        sa.Column("part", sa.Text(), nullable=False, comment="validation or test"),
        sa.Column("user_no", sa.Integer(), nullable=False, comment="the user"),
        sa.Column(
            "history",
            postgresql.ARRAY(sa.Integer()),
            nullable=False,
            comment="items known, oldest first",
        ),
        sa.Column(
            "targets",
            postgresql.ARRAY(sa.Integer()),
            nullable=False,
            comment="items held out (qrels), oldest first",
        ),
        sa.Column(
            "gap_s",
            sa.Float(),
            nullable=True,
            comment="seconds from the newest known purchase to the first target; NULL: no times",
        ),
        sa.CheckConstraint("part IN ('validation', 'test')", name=op.f("ck_split_cases_part")),
        sa.CheckConstraint("targets <> '{}'", name=op.f("ck_split_cases_targets")),
        *_foreign_keys("split_cases"),
        sa.PrimaryKeyConstraint("split_no", "part", "user_no", name="pk_split_cases"),
        comment="One row per split, part and user to recommend to.",
    )
    op.create_index("ix_split_cases_user_no", "split_cases", ["user_no"])
    op.create_table(
        "split_prompts",
        sa.Column("split_no", sa.Integer(), nullable=False, comment="the split"),
        sa.Column(
            "prompt_no",
            sa.BigInteger(),
            nullable=False,
            comment="a prompt of one of its cases, by any generator",
        ),
        sa.ForeignKeyConstraint(
            ["prompt_no"], ["prompts.prompt_no"], name="fk_split_prompts_prompt_no_prompts"
        ),
        sa.ForeignKeyConstraint(
            ["split_no"],
            ["splits.split_no"],
            name="fk_split_prompts_split_no_splits",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("split_no", "prompt_no", name="pk_split_prompts"),
        comment=(
            "One row per split and prompt: keeps what was generated for it from being collected."
        ),
    )
    op.create_index("ix_split_prompts_prompt_no", "split_prompts", ["prompt_no"])
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


def _foreign_keys(table: str) -> tuple[sa.ForeignKeyConstraint, sa.ForeignKeyConstraint]:
    """Return those of a table with rows of a split and a user, which go with either."""
    return (
        sa.ForeignKeyConstraint(
            ["split_no"],
            ["splits.split_no"],
            name=f"fk_{table}_split_no_splits",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_no"], ["users.user_no"], name=f"fk_{table}_user_no_users", ondelete="CASCADE"
        ),
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
