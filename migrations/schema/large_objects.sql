-- Large objects belong to no schema, so grants on schemas do not keep analysts from filling the disk
-- with them. Only an administrator of the server may revoke their functions; for another role this
-- changes nothing, and `gpt4rec doctor` warns.
DO $large_objects$
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
    END IF;
END
$large_objects$;
