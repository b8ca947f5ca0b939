"""Re-rankers in nights: their vectors of items and users, and the stage that makes these."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from gpt4rec_es.db.analytics import DROP_VIEWS, verbatim

revision: str = "0106"
down_revision: str | None = "0105"
branch_labels = None
depends_on = None

_SCHEMA = Path(__file__).parents[1] / "schema"
_BEFORE = "'planned', 'generating', 'searching', 'merging', 'checking'"
_AFTER = "'planned', 'generating', 'embedding', 'searching', 'merging', 'checking'"
_FINISHED = "'published', 'rejected', 'failed', 'cancelled', 'superseded'"
_PARENTS = "'run_users', 'user_outcomes', 'recommendations'"
_PARENTS_AFTER = "'run_users', 'run_user_vectors', 'user_outcomes', 'recommendations'"
_STAGE = "stage of the run: generate, {}search or merge"
# (column, comment before, comment after)
_COMMENTS = (
    (
        "runs.state",
        (
            "planned, generating, searching, merging, checking; then published, rejected (a gate "
            "failed), failed, cancelled or superseded"
        ),
        (
            "planned, generating, embedding, searching, merging, checking; then published, "
            "rejected (a gate failed), failed, cancelled or superseded"
        ),
    ),
    ("shards.stage", _STAGE.format(""), _STAGE.format("embed, ")),
    ("run_counts.stage", _STAGE.format(""), _STAGE.format("embed, ")),
)


def upgrade() -> None:
    file = _SCHEMA / "rerankers.sql"
    op.execute(verbatim(file.read_text(encoding="utf-8")))
    op.add_column(
        "runs",
        sa.Column(
            "reranker_no",
            sa.Integer(),
            sa.ForeignKey("rerankers.reranker_no", name="fk_runs_reranker_no_rerankers"),
            comment="re-ranker of the run; NULL: it has none",
        ),
    )
    op.add_column(
        "recommendations",
        sa.Column(
            "merge_rank",
            sa.Integer(),
            comment=(
                "1-based rank that the item has among the user's candidates without the "
                "re-ranker; NULL: pinned, fallback, or no re-ranker"
            ),
        ),
    )
    op.add_column(
        "recommendations",
        sa.Column(
            "rerank_score",
            sa.REAL(),
            comment=(
                "score of the item by the re-ranker, minus its mean over the user's candidates; "
                "NULL: pinned, fallback, or no re-ranker"
            ),
        ),
    )
    _allow(_AFTER, "'generate', 'embed', 'search', 'merge'")
    functions = _functions().replace(_PARENTS, _PARENTS_AFTER).replace(_BEFORE, _AFTER)
    op.execute(verbatim(functions))
    for column, _, after in _COMMENTS:
        op.execute(verbatim(f"COMMENT ON COLUMN {column} IS '{after}'"))


def downgrade() -> None:
    """Remove re-rankers and their vectors; a run that is making vectors is cancelled."""
    op.execute(verbatim(DROP_VIEWS))
    op.execute(
        "UPDATE runs SET state = 'cancelled', finished_at = clock_timestamp(), "
        "error = 'the schema was downgraded' WHERE state = 'embedding'"
    )
    op.execute("DELETE FROM shards WHERE stage = 'embed'")
    op.execute("DELETE FROM run_counts WHERE stage = 'embed'")
    _allow(_BEFORE, "'generate', 'search', 'merge'")
    op.execute(verbatim(_functions()))
    op.drop_column("recommendations", "rerank_score")
    op.drop_column("recommendations", "merge_rank")
    op.drop_column("runs", "reranker_no")
    op.execute("DROP TABLE run_user_vectors, item_vectors, rerankers")
    for column, before, _ in _COMMENTS:
        op.execute(verbatim(f"COMMENT ON COLUMN {column} IS '{before}'"))


def _allow(unfinished: str, stages: str) -> None:
    """Let runs have these unfinished states, and shards these stages."""
    op.execute("ALTER TABLE runs DROP CONSTRAINT ck_runs_state")
    op.execute(
        "ALTER TABLE runs ADD CONSTRAINT ck_runs_state "
        f"CHECK (state IN ({unfinished}, {_FINISHED}))"
    )
    op.execute("DROP INDEX ix_runs_unfinished")
    op.execute(
        f"CREATE UNIQUE INDEX ix_runs_unfinished ON runs (kind) WHERE state IN ({unfinished})"
    )
    op.execute("ALTER TABLE shards DROP CONSTRAINT ck_shards_stage")
    op.execute(f"ALTER TABLE shards ADD CONSTRAINT ck_shards_stage CHECK (stage IN ({stages}))")


def _functions() -> str:
    """Return the functions that make and drop partitions, as revision 0101 made them."""
    sql = (_SCHEMA / "functions.sql").read_text(encoding="utf-8")
    begin = sql.index("CREATE FUNCTION public.create_run_partitions")
    end = sql.index("-- Only the owner may ANALYZE")
    return sql[begin:end].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
