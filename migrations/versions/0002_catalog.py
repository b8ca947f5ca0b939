"""Catalog, histories and imports."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")
ID = sa.Text(collation="C")

# In the order in which they are made.
TABLES = ("items", "users", "interactions", "catalog_state", "imports", "import_rejects")


def upgrade() -> None:
    op.create_table(
        "items",
        sa.Column(
            "item_no", sa.Integer(), sa.Identity(), nullable=False, comment="internal item number"
        ),
        sa.Column("item_id", ID, nullable=False, comment="the shop's item id"),
        sa.Column(
            "title",
            sa.Text(),
            nullable=True,
            comment="cleaned title; NULL: none usable, so neither searchable nor trainable",
        ),
        sa.Column(
            "title_raw",
            sa.Text(),
            nullable=True,
            comment="title as delivered; NULL: none delivered",
        ),
        sa.Column("brand", sa.Text(), nullable=True, comment="brand; NULL: unknown"),
        sa.Column(
            "category",
            sa.Text(),
            nullable=True,
            comment="category path, levels joined by ' > '; NULL: unknown",
        ),
        sa.Column(
            "price",
            sa.Numeric(precision=12, scale=2),
            nullable=True,
            comment="price in the catalog's currency; NULL: unknown",
        ),
        sa.Column(
            "is_active",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="false: may not be recommended",
        ),
        sa.Column(
            "is_trainable",
            sa.Boolean(),
            sa.Computed("title IS NOT NULL AND char_length(title) <= 400", persisted=True),
            nullable=False,
            comment=(
                "whether the language model may learn this title: there is one, of at most 400 "
                "characters"
            ),
        ),
        sa.Column(
            "version",
            sa.BigInteger(),
            nullable=False,
            comment="catalog version of the last change of this row, see catalog_state",
        ),
        sa.Column(
            "updated_at",
            TIME,
            server_default=NOW,
            nullable=False,
            comment="time of the last change of this row",
        ),
        sa.PrimaryKeyConstraint("item_no", name="pk_items"),
        sa.UniqueConstraint("item_id", name="uq_items_item_id"),
        comment="One row per catalog item.",
    )
    op.create_index("ix_items_version", "items", ["version"])
    op.create_table(
        "users",
        sa.Column(
            "user_no", sa.Integer(), sa.Identity(), nullable=False, comment="internal user number"
        ),
        sa.Column("user_id", ID, nullable=False, comment="the shop's user id"),
        sa.Column(
            "created_at",
            TIME,
            server_default=NOW,
            nullable=False,
            comment="time of the first import that named this user",
        ),
        sa.PrimaryKeyConstraint("user_no", name="pk_users"),
        sa.UniqueConstraint("user_id", name="uq_users_user_id"),
        comment="One row per user.",
    )
    op.create_table(
        "interactions",
        sa.Column("user_no", sa.Integer(), nullable=False, comment="who"),
        sa.Column("item_no", sa.Integer(), nullable=False, comment="what"),
        sa.Column(
            "event_no",
            sa.BigInteger(),
            nullable=False,
            comment=(
                "when: microseconds since 1970 UTC where there is a time, otherwise the given "
                "ordinal"
            ),
        ),
        sa.Column(
            "ordinal",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="order among events of equal time, as delivered; 0: none given",
        ),
        sa.Column(
            "event_at",
            TIME,
            nullable=True,
            comment="time of the event; NULL: only an order is known",
        ),
        sa.Column("rating", sa.REAL(), nullable=True, comment="rating given; NULL: none"),
        sa.Column(
            "version",
            sa.BigInteger(),
            nullable=False,
            comment=(
                "history version that added this row, see catalog_state; a run reads rows up to "
                "its own cut-off"
            ),
        ),
        sa.ForeignKeyConstraint(
            ["item_no"], ["items.item_no"], name="fk_interactions_item_no_items"
        ),
        sa.ForeignKeyConstraint(
            ["user_no"], ["users.user_no"], name="fk_interactions_user_no_users"
        ),
        sa.PrimaryKeyConstraint("user_no", "item_no", "event_no", name="pk_interactions"),
        comment=(
            "One row per user-item event. A history is read in order of (event_no, ordinal, "
            "item_id)."
        ),
    )
    op.create_index("ix_interactions_item_no", "interactions", ["item_no"])
    op.create_table(
        "catalog_state",
        sa.Column("one_row", sa.Boolean(), nullable=False, comment="always true"),
        sa.Column(
            "catalog_version",
            sa.BigInteger(),
            nullable=False,
            comment=(
                "counts imports that changed items; the row lock makes them one after the other"
            ),
        ),
        sa.Column(
            "history_version",
            sa.BigInteger(),
            nullable=False,
            comment="counts imports that added interactions",
        ),
        sa.CheckConstraint("one_row", name=op.f("ck_catalog_state_one_row")),
        sa.PrimaryKeyConstraint("one_row", name="pk_catalog_state"),
        comment=(
            "Exactly one row: the versions of catalog and histories, raised in the transaction "
            "that changes them."
        ),
    )
    op.create_table(
        "imports",
        sa.Column(
            "import_no",
            sa.BigInteger(),
            sa.Identity(),
            nullable=False,
            comment="number of the import",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="items or interactions"),
        sa.Column(
            "files", postgresql.ARRAY(sa.Text()), nullable=False, comment="names of the files read"
        ),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="running, done or failed; a failed one changed nothing",
        ),
        sa.Column("actor", sa.Text(), nullable=False, comment="who started it"),
        sa.Column("started_at", TIME, server_default=NOW, nullable=False, comment="start"),
        sa.Column(
            "finished_at",
            TIME,
            nullable=True,
            comment="end; NULL: running, or its process was killed",
        ),
        sa.Column(
            "records", sa.BigInteger(), nullable=True, comment="records read; NULL while running"
        ),
        sa.Column(
            "rejected",
            sa.BigInteger(),
            nullable=True,
            comment="records set aside in import_rejects; NULL while running",
        ),
        sa.Column(
            "inserted", sa.BigInteger(), nullable=True, comment="rows added; NULL while running"
        ),
        sa.Column(
            "updated", sa.BigInteger(), nullable=True, comment="rows changed; NULL while running"
        ),
        sa.Column("error", sa.Text(), nullable=True, comment="why it failed; NULL: it did not"),
        sa.CheckConstraint("kind IN ('items', 'interactions')", name=op.f("ck_imports_kind")),
        sa.CheckConstraint("state IN ('running', 'done', 'failed')", name=op.f("ck_imports_state")),
        sa.PrimaryKeyConstraint("import_no", name="pk_imports"),
        comment="One row per import command.",
    )
    op.create_table(
        "import_rejects",
        sa.Column("import_no", sa.BigInteger(), nullable=False, comment="the import"),
        sa.Column(
            "reject_no", sa.BigInteger(), nullable=False, comment="1-based order within the import"
        ),
        sa.Column("file", sa.Text(), nullable=False, comment="file name"),
        sa.Column(
            "line",
            sa.BigInteger(),
            nullable=True,
            comment="1-based line (row for Parquet) where the record starts; NULL: unknown",
        ),
        sa.Column("reason_code", sa.Text(), nullable=False, comment="short code to group by"),
        sa.Column("reason", sa.Text(), nullable=False, comment="what is wrong, in words"),
        sa.Column(
            "excerpt",
            sa.Text(),
            nullable=False,
            comment="first 200 bytes of the record, control characters escaped",
        ),
        sa.ForeignKeyConstraint(
            ["import_no"], ["imports.import_no"], name="fk_import_rejects_import_no_imports"
        ),
        sa.PrimaryKeyConstraint("import_no", "reject_no", name="pk_import_rejects"),
        comment="One row per record that an import set aside.",
    )
    op.execute("INSERT INTO catalog_state VALUES (true, 0, 0)")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO gpt4rec_writer")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
