"""Rules that keep items out of lists: what is blocked, and what each run made of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gpt4rec_es.db.views import View, create_views, drop_views

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels = None
depends_on = None

TABLES = ("block_rules", "run_rules", "run_brands")
RULE_COLUMNS = {
    "rule": "name of the rule: 'rule' and its number, or that of a setting",
    "rule_kind": "item, brand or category that is blocked; filter: a setting of the run",
    "rule_value": "item id, brand, category path (with all below it), or the limit",
    "rule_reason": "why; NULL: a setting of the run",
}
VIEWS = (
    View(
        "block_rules",
        "One row per rule that blocks items, also those that were taken back.",
        {
            **RULE_COLUMNS,
            "valid_from": "first date of a run that keeps it; NULL: from the start",
            "valid_until": "last such date; NULL: for good",
            "rule_actor": "who added it",
            "rule_added_at": "time it was added",
            "rule_removed_at": "time it was taken back; NULL: it was not",
        },
        "SELECT 'rule ' || rule_no, kind, value, reason, valid_from, valid_until, actor, "
        "created_at, removed_at FROM public.block_rules",
    ),
    View(
        "run_rules",
        "One row per run and rule that it keeps.",
        {
            "run_id": "the run",
            "logical_date": "the date the run recommends for, in the schedule's time zone",
            **RULE_COLUMNS,
            "blocked_item_count": "items that it keeps out of all lists; 0: it depends on the user "
            "or the list",
            "removed_count": "times it kept an item out of a user's list, an item once per list; "
            "NULL: never, or the run is unfinished",
        },
        """
        SELECT r.run_id, r.logical_date, u.rule, u.kind, u.value, u.reason, u.n_items, c.n
        FROM public.run_rules AS u
        JOIN public.runs AS r USING (run_no)
        LEFT JOIN public.run_counts AS c ON c.run_no = u.run_no AND c.stage = 'merge'
            AND c.name = 'removed' AND c.detail = u.rule
        """,
    ),
)
OLD_COUNT_COMMENTS = {
    "name": "members, tokens, queries, searches, users, errors or takeovers",
    "detail": "of users the outcome, of errors their class; else empty",
}
NEW_COUNT_COMMENTS = {
    "name": "members, tokens, queries, searches, users, removed, errors or takeovers",
    "detail": "of users the outcome, of removed items the rule, of errors their class; else empty",
}


def _comment_counts(comments: dict[str, str]) -> None:
    for column, comment in comments.items():
        op.execute(f"COMMENT ON COLUMN run_counts.{column} IS '{comment}'")


def upgrade() -> None:
    op.create_table(
        "block_rules",
        sa.Column(
            "rule_no", sa.Integer(), sa.Identity(), nullable=False, comment="number of the rule"
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="item, brand or category"),
        sa.Column(
            "value",
            sa.Text(),
            nullable=False,
            comment=(
                "item id, brand, or category path (with all below it); case matters for ids only"
            ),
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="why it is blocked"),
        sa.Column(
            "valid_from",
            sa.Date(),
            nullable=True,
            comment="first date of a run that keeps it; NULL: from the start",
        ),
        sa.Column(
            "valid_until", sa.Date(), nullable=True, comment="last such date; NULL: for good"
        ),
        sa.Column("actor", sa.Text(), nullable=False, comment="who added it"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="time it was added",
        ),
        sa.Column(
            "removed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="time it was taken back; NULL: it was not",
        ),
        sa.CheckConstraint(
            "kind IN ('item', 'brand', 'category')", name=op.f("ck_block_rules_kind")
        ),
        sa.PrimaryKeyConstraint("rule_no", name="pk_block_rules"),
        comment="One row per rule that blocks items; taken back, never deleted.",
    )
    op.create_table(
        "run_rules",
        sa.Column("run_no", sa.Integer(), nullable=False, comment="the run"),
        sa.Column(
            "rule",
            sa.Text(),
            nullable=False,
            comment=(
                "name of the rule: 'rule' and its number, min_price, max_price, categories, shown "
                "or max_per_brand"
            ),
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="item, brand, category or filter"),
        sa.Column(
            "value",
            sa.Text(),
            nullable=False,
            comment="what it is about: an id, a brand, a limit",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="why; NULL: a setting of the run"),
        sa.Column(
            "n_items",
            sa.Integer(),
            nullable=False,
            comment="items that it keeps out of all lists",
        ),
        sa.Column(
            "item_nos",
            postgresql.ARRAY(sa.Integer()),
            nullable=True,
            comment="those items; NULL: it depends on the user or the list, or the run was pruned",
        ),
        sa.ForeignKeyConstraint(
            ["run_no"], ["runs.run_no"], name="fk_run_rules_run_no_runs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_no", "rule", name="pk_run_rules"),
        comment="One row per run and rule, frozen at planning.",
    )
    op.create_table(
        "run_brands",
        sa.Column("run_no", sa.Integer(), nullable=False, comment="the run"),
        sa.Column("brand", sa.Text(), nullable=False, comment="brand in lower case"),
        sa.Column("item_nos", postgresql.ARRAY(sa.Integer()), nullable=False, comment="its items"),
        sa.ForeignKeyConstraint(
            ["run_no"], ["runs.run_no"], name="fk_run_brands_run_no_runs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_no", "brand", name="pk_run_brands"),
        comment=(
            "One row per run and brand with more items than its lists may have of one brand, "
            "frozen at planning."
        ),
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO gpt4rec_writer")
    _comment_counts(NEW_COUNT_COMMENTS)
    create_views(op.execute, VIEWS)


def downgrade() -> None:
    drop_views(op.execute, VIEWS)
    _comment_counts(OLD_COUNT_COMMENTS)
    for table in reversed(TABLES):
        op.drop_table(table)
