"""The schema of the first release: roles, tables, functions, and the writer's privileges.

Numbers below 0101 are schemas from before that release, which cannot be upgraded. The SQL is in
migrations/schema; views belong to no revision, see gpt4rec_es/db/analytics.py. Roles belong to the
whole server, so a downgrade does not change them.
"""

from pathlib import Path

from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0101"
down_revision: str | None = None
branch_labels = None
depends_on = None


def _sql(name: str) -> str:
    file = Path(__file__).parents[1] / "schema" / f"{name}.sql"
    return verbatim(file.read_text(encoding="utf-8"))


# env.py runs it before Alembic creates its own table.
PREPARE = _sql("roles")


def upgrade() -> None:
    # env.py has set the owner's role if it could; these steps may need more privileges.
    op.execute("RESET ROLE")
    op.execute(PREPARE)
    op.execute(_sql("analyst"))
    op.execute(_sql("server_functions"))
    op.execute("ALTER TABLE alembic_version OWNER TO gpt4rec_owner")
    op.execute("SET ROLE gpt4rec_owner")
    op.execute("GRANT SELECT ON alembic_version TO gpt4rec_writer")
    op.execute(
        "COMMENT ON TABLE alembic_version IS 'Exactly one row: the newest migration applied.'"
    )
    op.execute("COMMENT ON COLUMN alembic_version.version_num IS 'number of that migration'")
    for name in ("tables", "functions", "grants"):
        op.execute(_sql(name))
    op.execute("INSERT INTO catalog_state VALUES (true, 0, 0)")


def downgrade() -> None:
    op.execute(verbatim(DROP_VIEWS))
    op.execute("DROP SCHEMA IF EXISTS analytics")
    op.execute(_sql("drop"))
    op.execute("REVOKE ALL ON alembic_version FROM gpt4rec_writer")
