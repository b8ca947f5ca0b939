"""Functions of the owner's: the only DDL that the writer can cause.

They run with the owner's rights, so their search_path is pinned, every name is qualified, and a
table name is never taken from the caller without being looked up first.
"""

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels = None
depends_on = None

# CREATE TABLE ... PARTITION OF would lock out readers of the parent; ATTACH does not.
CREATE_RUN_PARTITIONS = """
CREATE FUNCTION public.create_run_partitions(run_no integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' SET client_min_messages = warning
AS $body$
DECLARE
    parent text;
    part text;
BEGIN
    IF run_no IS NULL OR run_no < 1 THEN
        RAISE EXCEPTION 'run_no must be a positive number'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOREACH parent IN ARRAY ARRAY['run_users', 'user_outcomes', 'recommendations'] LOOP
        part := parent || '_' || run_no;
        CONTINUE WHEN to_regclass('public.' || part) IS NOT NULL;
        EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL)', part, parent);
        EXECUTE format(
            'ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES IN (%s)',
            parent, part, run_no);
        EXECUTE format('COMMENT ON TABLE public.%I IS %L', part, 'Rows of run ' || run_no || '.');
        EXECUTE format(
            'GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO gpt4rec_writer', part);
    END LOOP;
END
$body$
"""

# The lock on the parents stops new readers while it waits for old ones, hence the short time-out:
# the caller tries again later.
DROP_RUN_PARTITIONS = """
CREATE FUNCTION public.drop_run_partitions(run_no integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' SET client_min_messages = warning
AS $body$
DECLARE
    parent text;
    found_state text;
BEGIN
    -- Both locks keep a publication of this very run from happening meanwhile.
    SELECT r.state INTO found_state
    FROM public.runs AS r WHERE r.run_no = drop_run_partitions.run_no FOR UPDATE;
    PERFORM FROM public.publications FOR SHARE;
    IF found_state IN ('planned', 'generating', 'searching', 'merging', 'checking') THEN
        RAISE EXCEPTION 'run % is unfinished (%)', run_no, found_state
            USING ERRCODE = 'object_in_use';
    END IF;
    IF EXISTS (SELECT FROM public.publications AS p
               WHERE drop_run_partitions.run_no IN (p.run_no, p.previous_run_no)) THEN
        RAISE EXCEPTION 'run % is the published one or the one before it', run_no
            USING ERRCODE = 'object_in_use';
    END IF;
    FOREACH parent IN ARRAY ARRAY['run_users', 'user_outcomes', 'recommendations'] LOOP
        EXECUTE format('DROP TABLE IF EXISTS public.%I', parent || '_' || run_no);
    END LOOP;
END
$body$
"""

# Only an owner may ANALYZE; after a bulk load, waiting for autovacuum means bad plans until then.
ANALYZE_TABLE = """
CREATE FUNCTION public.analyze_table(table_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname = table_name
        AND c.relkind IN ('r', 'p'))
    THEN
        RAISE EXCEPTION 'there is no table %', table_name USING ERRCODE = 'undefined_table';
    END IF;
    EXECUTE format('ANALYZE public.%I', table_name);
END
$body$
"""

FUNCTIONS = {
    "create_run_partitions(integer)": "Make the partitions of a run; those that exist stay.",
    "drop_run_partitions(integer)": (
        "Drop the partitions of a run; refused for a run that is unfinished, published, or was "
        "published before that. May fail on a lock: try again later."
    ),
    "analyze_table(text)": "Collect planner statistics of one table, after many rows came in.",
}


def upgrade() -> None:
    for body in (CREATE_RUN_PARTITIONS, DROP_RUN_PARTITIONS, ANALYZE_TABLE):
        op.execute(body)
    for signature, comment in FUNCTIONS.items():
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO gpt4rec_writer")
        op.execute(f"COMMENT ON FUNCTION {signature} IS '{comment}'")


def downgrade() -> None:
    for signature in FUNCTIONS:
        op.execute(f"DROP FUNCTION {signature}")
