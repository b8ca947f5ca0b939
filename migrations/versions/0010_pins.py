"""Pins set by hand on runs and builds, and when the lists of a run were given up.

That a run's lists were given up is written down before its partitions go, so that nobody can
publish it in between, and a prune that was cut off can be told from one that was never begun.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels = None
depends_on = None

_PARTITIONED = "ARRAY['run_users', 'user_outcomes', 'recommendations']"

DROP_RUN_PARTITIONS = f"""
CREATE OR REPLACE FUNCTION public.drop_run_partitions(run_no integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' SET client_min_messages = warning
AS $body$
DECLARE
    parent text;
    found_state text;
    found_pin boolean;
BEGIN
    -- Both locks keep a publication of this very run from happening meanwhile.
    SELECT r.state, r.is_pinned INTO found_state, found_pin
    FROM public.runs AS r WHERE r.run_no = drop_run_partitions.run_no FOR UPDATE;
    PERFORM FROM public.publications FOR SHARE;
    IF found_state IN ('planned', 'generating', 'searching', 'merging', 'checking') THEN
        RAISE EXCEPTION 'run % is unfinished (%)', run_no, found_state
            USING ERRCODE = 'object_in_use';
    END IF;
    IF found_pin THEN
        RAISE EXCEPTION 'run % is pinned', run_no USING ERRCODE = 'object_in_use';
    END IF;
    IF EXISTS (SELECT FROM public.publications AS p
               WHERE drop_run_partitions.run_no IN (p.run_no, p.previous_run_no)) THEN
        RAISE EXCEPTION 'run % is the published one or the one before it', run_no
            USING ERRCODE = 'object_in_use';
    END IF;
    UPDATE public.runs AS r SET pruned_at = clock_timestamp()
    WHERE r.run_no = drop_run_partitions.run_no AND r.pruned_at IS NULL;
    FOREACH parent IN ARRAY {_PARTITIONED} LOOP
        EXECUTE format('DROP TABLE IF EXISTS public.%I', parent || '_' || run_no);
    END LOOP;
END
$body$
"""  # noqa: S608 -- nothing but a constant is put in
OLD_DROP_RUN_PARTITIONS = (
    DROP_RUN_PARTITIONS.replace("    found_pin boolean;\n", "")
    .replace("r.state, r.is_pinned INTO found_state, found_pin", "r.state INTO found_state")
    .replace(
        """    IF found_pin THEN
        RAISE EXCEPTION 'run % is pinned', run_no USING ERRCODE = 'object_in_use';
    END IF;
""",
        "",
    )
    .replace(
        """    UPDATE public.runs AS r SET pruned_at = clock_timestamp()
    WHERE r.run_no = drop_run_partitions.run_no AND r.pruned_at IS NULL;
""",
        "",
    )
)


def upgrade() -> None:
    for table, comment in (
        ("runs", "kept by hand: neither its lists nor its build are ever pruned"),
        ("builds", "kept by hand: its index is never deleted"),
    ):
        op.add_column(
            table,
            sa.Column(
                "is_pinned",
                sa.Boolean(),
                server_default=sa.text("false"),
                nullable=False,
                comment=comment,
            ),
        )
    op.add_column(
        "runs",
        sa.Column(
            "pruned_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="time its lists were given up; NULL: they are kept",
        ),
    )
    op.execute(
        "UPDATE runs SET pruned_at = clock_timestamp() "
        "WHERE to_regclass('public.recommendations_' || run_no) IS NULL"
    )
    op.execute(DROP_RUN_PARTITIONS)
    op.execute(
        "COMMENT ON FUNCTION drop_run_partitions(integer) IS 'Drop the partitions of a run; "
        "refused for a run that is unfinished, pinned, published, or was published before that. "
        "May fail on a lock: try again later.'"
    )


def downgrade() -> None:
    op.drop_column("runs", "pruned_at")
    for table in ("runs", "builds"):
        op.drop_column(table, "is_pinned")
    op.execute(OLD_DROP_RUN_PARTITIONS)
    op.execute(
        "COMMENT ON FUNCTION drop_run_partitions(integer) IS 'Drop the partitions of a run; "
        "refused for a run that is unfinished, published, or was published before that. May fail "
        "on a lock: try again later.'"
    )
