"""Generators may be endpoints: servers that speak a completions protocol."""

from alembic import op

revision: str = "0137"
down_revision: str | None = "0135"
branch_labels = None
depends_on = None

_NEW = {
    "kind": "gpt2 (a checkpoint folder), endpoint (a server) or titles (no model)",
    "path": "checkpoint folder, or URL of the endpoint with its options; NULL: kind is titles",
    "content_hash": "hash of weights, configuration and tokenizer, or of what an endpoint answers",
}
_OLD = {
    "kind": "gpt2 (a checkpoint folder) or titles (no model)",
    "path": "checkpoint folder; NULL: kind is titles",
    "content_hash": "hash of the generator''s weights, configuration and tokenizer",
}


def upgrade() -> None:
    _replace("kind IN ('gpt2', 'endpoint', 'titles')", _NEW)


def downgrade() -> None:
    """Refuse while an endpoint is registered: runs refer to it."""
    _replace("kind IN ('gpt2', 'titles')", _OLD)


def _replace(condition: str, comments: dict[str, str]) -> None:
    name = "ck_generators_kind"
    op.execute(
        f"ALTER TABLE generators DROP CONSTRAINT {name}, ADD CONSTRAINT {name} CHECK ({condition})"
    )
    for column, comment in comments.items():
        op.execute(f"COMMENT ON COLUMN generators.{column} IS '{comment}'")
