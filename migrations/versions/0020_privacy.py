"""Pseudonyms of users for analysts, the register of exports, and what erasing a user needs."""

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels = None
depends_on = None

TABLES = ("privacy", "exports")

# A hash with two secret keys, as HMAC has: without them nobody can try out ids. It runs with the
# owner's rights and only as a trigger, so nobody can ask it for the pseudonym of an id.
SHOW_USER = """
CREATE FUNCTION public.show_user() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    NEW.shown_id := coalesce((
        SELECT 'p' || substr(encode(sha256(p.outer_key || sha256(
            p.inner_key || convert_to(NEW.user_id, 'UTF8'))), 'hex'), 1, 32)
        FROM public.privacy AS p WHERE p.has_pseudonyms), NEW.user_id);
    RETURN NEW;
END
$body$
"""
TRIGGER = """
CREATE TRIGGER show_user BEFORE INSERT OR UPDATE OF user_id ON users
FOR EACH ROW EXECUTE FUNCTION public.show_user()
"""
# Comments and rights of a view stay when it is replaced.
SHOW = """
DO $show$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT c.oid::regclass AS name, pg_get_viewdef(c.oid) AS definition FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'user_id'
        WHERE c.relnamespace = 'analytics'::regnamespace AND c.relkind = 'v'
    LOOP
        EXECUTE format('CREATE OR REPLACE VIEW %s AS %s', one.name,
            regexp_replace(one.definition, '{pattern}', '{replacement}'));
    END LOOP;
END
$show$
"""
REJECTS = """
CREATE OR REPLACE VIEW analytics.rejects AS
SELECT i.import_no AS import_id, i.kind AS import_kind, i.state AS import_state,
    i.started_at AS import_started_at, r.file AS file_name, r.line AS line_number, r.reason_code,
    {reason} AS reason, {excerpt} AS excerpt
FROM public.import_rejects AS r JOIN public.imports AS i USING (import_no)
"""
HIDDEN = (
    "CASE WHEN i.kind = 'interactions' AND EXISTS "
    "(SELECT FROM public.privacy AS p WHERE p.has_pseudonyms) THEN '(hidden)' ELSE r.{} END"
)
USER_COMMENT = "the shop's user id"
SHOWN_COMMENT = USER_COMMENT + ", or its pseudonym where the database says so"
COMMENT = "Fill users.shown_id: the pseudonym while pseudonyms are on, else the id."


def _comment_user_ids(comment: str) -> None:
    literal = comment.replace("'", "''''")
    op.execute(f"""
        DO $comment$
        DECLARE
            one regclass;
        BEGIN
            FOR one IN
                SELECT c.oid::regclass FROM pg_class AS c
                JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'user_id'
                WHERE c.relnamespace = 'analytics'::regnamespace AND c.relkind = 'v'
            LOOP
                EXECUTE 'COMMENT ON COLUMN ' || one || '.user_id IS ''{literal}''';
            END LOOP;
        END
        $comment$
    """)  # noqa: S608 -- nothing but a constant is put in


def upgrade() -> None:
    op.create_table(
        "privacy",
        sa.Column("one_row", sa.Boolean(), nullable=False, comment="always true"),
        sa.Column(
            "has_pseudonyms",
            sa.Boolean(),
            nullable=False,
            comment="whether analysts see pseudonyms",
        ),
        sa.Column(
            "inner_key", sa.LargeBinary(), nullable=False, comment="secret of the inner hash"
        ),
        sa.Column(
            "outer_key", sa.LargeBinary(), nullable=False, comment="secret of the outer hash"
        ),
        sa.CheckConstraint("one_row", name=op.f("ck_privacy_one_row")),
        sa.PrimaryKeyConstraint("one_row", name=op.f("pk_privacy")),
        comment=(
            "At most one row, for the owner's eyes: the secrets of pseudonyms; none: never used."
        ),
    )
    op.create_table(
        "exports",
        sa.Column(
            "export_no",
            sa.BigInteger(),
            sa.Identity(),
            nullable=False,
            comment="number of the export",
        ),
        sa.Column("host", sa.Text(), nullable=False, comment="machine it was written on"),
        sa.Column("path", sa.Text(), nullable=False, comment="absolute path of the file"),
        sa.Column("format", sa.Text(), nullable=False, comment="jsonl, csv, parquet, trec ..."),
        sa.Column(
            "exported_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="time it was written, last",
        ),
        sa.PrimaryKeyConstraint("export_no", name=op.f("pk_exports")),
        sa.UniqueConstraint("host", "path", name=op.f("uq_exports_host_path")),
        comment=(
            "One row per file with user ids that was exported, so that a user can be erased there."
        ),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON exports TO gpt4rec_writer")
    op.add_column(
        "users",
        sa.Column(
            "shown_id",
            sa.Text(collation="C"),
            server_default=sa.text("''"),
            nullable=False,
            comment="what analysts see: the shop's id or its pseudonym; a trigger fills it",
        ),
    )
    op.execute("UPDATE users SET shown_id = user_id")
    op.create_unique_constraint(op.f("uq_users_shown_id"), "users", ["shown_id"])
    op.execute(SHOW_USER)
    op.execute(TRIGGER)
    op.execute("REVOKE ALL ON FUNCTION show_user() FROM PUBLIC")
    op.execute(f"COMMENT ON FUNCTION show_user() IS '{COMMENT}'")
    op.execute(
        SHOW.replace("{pattern}", r"((\w+\.)?)user_id,").replace(
            "{replacement}", r"\1shown_id AS user_id,"
        )
    )
    _comment_user_ids(SHOWN_COMMENT)
    op.execute(REJECTS.format(reason=HIDDEN.format("reason"), excerpt=HIDDEN.format("excerpt")))


def downgrade() -> None:
    op.execute(REJECTS.format(reason="r.reason", excerpt="r.excerpt"))
    _comment_user_ids(USER_COMMENT)
    op.execute(
        SHOW.replace("{pattern}", r"((\w+\.)?)shown_id AS user_id,").replace(
            "{replacement}", r"\1user_id,"
        )
    )
    op.execute("DROP TRIGGER show_user ON users")
    op.execute("DROP FUNCTION show_user()")
    op.drop_column("users", "shown_id")
    for table in reversed(TABLES):
        op.drop_table(table)
