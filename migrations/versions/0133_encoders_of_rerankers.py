"""Encoders made of a re-ranker."""

from alembic import op

from gpt4rec_es.db.analytics import verbatim

revision: str = "0133"
down_revision: str | None = "0127"
branch_labels = None
depends_on = None

# (column of encoders, comment before, comment after)
_COMMENTS = (
    (
        "kind",
        "folder (sentence-transformers), static (token vectors) or generator",
        "folder (sentence-transformers), static (token vectors), generator or reranker",
    ),
    (
        "path",
        "its folder or file; NULL: that of its generator",
        "its folder or file; NULL: that of its network",
    ),
    (
        "source",
        "name of its generator; NULL: it is made of none",
        "name of its generator or re-ranker; NULL: it is made of none",
    ),
)


def upgrade() -> None:
    _allow("'folder', 'static', 'generator', 'reranker'")
    for column, _, after in _COMMENTS:
        _comment(column, after)


def downgrade() -> None:
    """Remove these encoders' vectors; their names are free, as after `encoders remove`."""
    op.execute(
        "DELETE FROM title_vectors USING encoders "
        "WHERE encoders.encoder_no = title_vectors.encoder_no AND kind = 'reranker'"
    )
    # Builds and searches refer to the rows, which therefore stay, as another kind.
    op.execute(
        "UPDATE encoders SET kind = 'generator', removed_at = COALESCE(removed_at, now()) "
        "WHERE kind = 'reranker'"
    )
    _allow("'folder', 'static', 'generator'")
    for column, before, _ in _COMMENTS:
        _comment(column, before)


def _allow(kinds: str) -> None:
    op.drop_constraint(op.f("ck_encoders_kind"), "encoders")
    op.create_check_constraint(op.f("ck_encoders_kind"), "encoders", f"kind IN ({kinds})")


def _comment(column: str, comment: str) -> None:
    op.execute(verbatim(f"COMMENT ON COLUMN encoders.{column} IS '{comment}'"))
