-- Roles of the server, and their privileges in this database. Each step is skipped if it is already
-- done; if this role lacks the privilege for a step, the error's hint has the SQL for an
-- administrator. Since Postgres 16, SET ROLE is a separate privilege.
DO $prepare$
DECLARE
    this_db text := current_database();
    me text := current_user;
    name text;
    may text := CASE WHEN current_setting('server_version_num')::int >= 160000
                     THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    FOREACH name IN ARRAY ARRAY['gpt4rec_owner', 'gpt4rec_writer', 'gpt4rec_analyst'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- an upgrade of another database created it meanwhile
            END;
        END IF;
    END LOOP;
    IF NOT pg_has_role(me, 'gpt4rec_owner', may) THEN
        EXECUTE format('GRANT gpt4rec_owner TO %I', me);
    END IF;
    IF NOT has_database_privilege('gpt4rec_owner', this_db, 'CREATE') THEN
        EXECUTE format('GRANT CREATE ON DATABASE %I TO gpt4rec_owner', this_db);
    END IF;
    IF NOT has_schema_privilege('gpt4rec_owner', 'public', 'CREATE') THEN
        GRANT USAGE, CREATE ON SCHEMA public TO gpt4rec_owner;
    END IF;
    -- Imports stage rows in temporary tables; an analyst could fill the disk with them.
    IF has_database_privilege('gpt4rec_analyst', this_db, 'TEMPORARY') THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', this_db);
    END IF;
    FOREACH name IN ARRAY ARRAY['gpt4rec_owner', 'gpt4rec_writer'] LOOP
        IF NOT has_database_privilege(name, this_db, 'TEMPORARY') THEN
            EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', this_db, name);
        END IF;
    END LOOP;
    -- A GRANT or REVOKE without the privilege may only raise a warning.
    IF NOT has_database_privilege('gpt4rec_owner', this_db, 'CREATE')
        OR NOT has_schema_privilege('gpt4rec_owner', 'public', 'CREATE')
        OR has_database_privilege('gpt4rec_analyst', this_db, 'TEMPORARY')
        OR NOT has_database_privilege('gpt4rec_writer', this_db, 'TEMPORARY')
    THEN
        RAISE insufficient_privilege;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION USING
        ERRCODE = 'insufficient_privilege',
        MESSAGE = format('User %s may not prepare the roles of this database.', me),
        HINT = concat(
            'Let an administrator run, leaving out roles that exist: '
            'CREATE ROLE gpt4rec_owner NOLOGIN; CREATE ROLE gpt4rec_writer NOLOGIN; '
            'CREATE ROLE gpt4rec_analyst NOLOGIN; ',
            format('GRANT gpt4rec_owner TO %I; ', me),
            format('GRANT CREATE ON DATABASE %I TO gpt4rec_owner; ', this_db),
            'GRANT USAGE, CREATE ON SCHEMA public TO gpt4rec_owner; ',
            format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC; ', this_db),
            format('GRANT TEMPORARY ON DATABASE %I TO gpt4rec_owner, gpt4rec_writer;', this_db));
END
$prepare$;
