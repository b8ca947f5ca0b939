"""Builds by changes: a third kind, and how many deleted documents count in a build's statistics."""

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels = None
depends_on = None

VIEW = """
SELECT b.index_name, b.alias, b.kind AS build_kind, parent.index_name AS parent_index_name,
    b.state AS build_state,
    b.state = 'ready' AND b.build_no IS NOT DISTINCT FROM (
        SELECT s.to_build_no FROM public.alias_swaps AS s WHERE s.alias = b.alias
        ORDER BY s.swap_no DESC LIMIT 1) AS is_live,
    b.catalog_version, b.document_count, b.k1, b.b, b.actor AS build_actor,
    b.reason AS build_reason, b.created_at AS build_started_at, b.ready_at,
    b.deleted_at AS index_deleted_at, b.error AS build_error
    {more}
FROM public.builds AS b
LEFT JOIN public.builds AS parent ON parent.build_no = b.parent_build_no
"""
KIND = {
    "builds.kind": (
        "full (from the catalog), derived (a clone with other k1, b) or changed (a clone with the "
        "items that changed since)"
    ),
    "builds.parent_build_no": "what a derived or changed build was cloned from; NULL: full",
    "analytics.index_builds.build_kind": (
        "full (from the catalog), derived (a clone with other k1, b) or changed (a clone with the "
        "items that changed since)"
    ),
    "analytics.index_builds.parent_index_name": (
        "what a derived or changed build was cloned from; NULL: full"
    ),
}
OLD_KIND = {
    "builds.kind": "full (from the catalog) or derived (a clone with other k1, b)",
    "builds.parent_build_no": "what a derived build was cloned from; NULL: full",
    "analytics.index_builds.build_kind": (
        "full (from the catalog) or derived (a clone with other k1, b)"
    ),
    "analytics.index_builds.parent_index_name": "what a derived build was cloned from; NULL: full",
}
DELETED = "replaced or deleted documents that still count in its statistics; NULL until verified"


def _comment(comments: dict[str, str]) -> None:
    for column, comment in comments.items():
        op.execute(f"COMMENT ON COLUMN {column} IS '{comment}'")


def upgrade() -> None:
    op.add_column(
        "builds", sa.Column("deleted_documents", sa.BigInteger(), nullable=True, comment=DELETED)
    )
    # Full builds and their clones, which is all there were, hold none.
    op.execute("UPDATE builds SET deleted_documents = 0 WHERE ready_at IS NOT NULL")
    op.drop_constraint(op.f("ck_builds_kind"), "builds")
    op.create_check_constraint(
        op.f("ck_builds_kind"), "builds", "kind IN ('full', 'derived', 'changed')"
    )
    more = ", b.deleted_documents"
    op.execute(f"CREATE OR REPLACE VIEW analytics.index_builds AS {VIEW.format(more=more)}")
    _comment({**KIND, "analytics.index_builds.deleted_documents": DELETED})


def downgrade() -> None:
    # A view cannot lose a column: it is made anew, with the rights and comments it had.
    name = "analytics.index_builds"
    comments = op.get_bind().execute(
        sa.text(
            "SELECT attname, quote_literal(col_description(attrelid, attnum)) FROM pg_attribute "
            "WHERE attrelid = cast(:name AS regclass) AND attname <> 'deleted_documents' "
            "UNION ALL SELECT NULL, quote_literal(obj_description(cast(:name AS regclass)))"
        ),
        {"name": name},
    )
    found = comments.all()
    op.execute(f"DROP VIEW {name}")
    op.execute(f"CREATE VIEW {name} AS {VIEW.format(more='')}")
    op.execute(f"GRANT SELECT ON {name} TO gpt4rec_analyst, gpt4rec_writer")
    for column, comment in found:
        what = f"COLUMN {name}.{column}" if column else f"VIEW {name}"
        op.execute(f"COMMENT ON {what} IS {comment}")
    _comment(OLD_KIND)
    op.drop_column("builds", "deleted_documents")
    op.execute("UPDATE builds SET kind = 'derived' WHERE kind = 'changed'")
    op.drop_constraint(op.f("ck_builds_kind"), "builds")
    op.create_check_constraint(op.f("ck_builds_kind"), "builds", "kind IN ('full', 'derived')")
