-- Functions owned by the owner: the only DDL that the writer can run, and trigger functions.
--
-- They are SECURITY DEFINER, so their search_path is fixed, every name is qualified, and a table
-- name from the caller is looked up before use.


-- CREATE TABLE ... PARTITION OF would block readers of the parent; ATTACH does not.
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
$body$;
REVOKE ALL ON FUNCTION create_run_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_run_partitions(integer) TO gpt4rec_writer;
COMMENT ON FUNCTION create_run_partitions(integer) IS
    'Make the partitions of a run; those that exist stay.';


-- A run must be marked as pruned before its partitions are dropped, so that it cannot be published
-- in between, and an interrupted prune can be recognised. The lock on the parents blocks new
-- readers while it waits for old ones, hence the short time-out; the caller retries.
CREATE FUNCTION public.drop_run_partitions(run_no integer, keep_lists boolean DEFAULT false)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' SET client_min_messages = warning
AS $body$
DECLARE
    parent text;
    found_state text;
    found_pin boolean;
BEGIN
    -- Both locks prevent a publication of this run at the same time.
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
    FOREACH parent IN ARRAY ARRAY['run_users', 'user_outcomes', 'recommendations'] LOOP
        CONTINUE WHEN keep_lists AND parent = 'recommendations';
        EXECUTE format('DROP TABLE IF EXISTS public.%I', parent || '_' || run_no);
    END LOOP;
END
$body$;
REVOKE ALL ON FUNCTION drop_run_partitions(integer, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_run_partitions(integer, boolean) TO gpt4rec_writer;
COMMENT ON FUNCTION drop_run_partitions(integer, boolean) IS
    'Drop the partitions of a run, all or all but its lists; refused for a run that is unfinished, pinned, published, or was '
    'published before that. May fail on a lock: try again later.';


-- Only the owner may ANALYZE; after a bulk load, plans would be bad until autovacuum runs.
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
$body$;
REVOKE ALL ON FUNCTION analyze_table(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION analyze_table(text) TO gpt4rec_writer;
COMMENT ON FUNCTION analyze_table(text) IS
    'Collect planner statistics of one table, after many rows came in.';


-- Keyed hash, as HMAC with two secret keys: without the keys, ids cannot be guessed and checked. It
-- is SECURITY DEFINER and a trigger only, so it cannot be called for the pseudonym of an id.
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
$body$;
REVOKE ALL ON FUNCTION show_user() FROM PUBLIC;
COMMENT ON FUNCTION show_user() IS
    'Fill users.shown_id: the pseudonym while pseudonyms are on, else the id.';

CREATE TRIGGER show_user BEFORE INSERT OR UPDATE OF user_id ON users
FOR EACH ROW EXECUTE FUNCTION public.show_user();
