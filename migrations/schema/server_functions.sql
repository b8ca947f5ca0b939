-- Functions of the server that every role may call, and that no grant on a schema keeps from analysts:
-- large objects could fill the disk, advisory locks could hold up an upgrade. Only an administrator of
-- the server may revoke them; for another role this changes nothing, and `gpt4rec doctor` warns.
DO $server_functions$
DECLARE
    name regprocedure;
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        FOR name IN
            SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
            AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_open',
                            'lo_put', 'lowrite')
        LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', name);
        END LOOP;
        FOR name IN
            SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
            AND (proname LIKE 'pg\_advisory\_%' OR proname LIKE 'pg\_try\_advisory\_%')
        LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', name);
            EXECUTE format(
                'GRANT EXECUTE ON FUNCTION %s TO gpt4rec_owner, gpt4rec_writer', name);
        END LOOP;
    END IF;
END
$server_functions$;
