"""Roles: owner (migrations), writer (rows, no DDL), analyst (the views of schema analytics only).

Roles belong to the whole server and outlive this database, so each step looks first whether it is
still to be done, and nothing is undone by a downgrade. Where this user may not do a step, the
error carries the SQL for somebody who may.
"""

from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None

# SET ROLE is a privilege of its own since Postgres 16.
PREPARE = """
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
                NULL;  -- an upgrade of another database made it just now
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
    -- A GRANT or REVOKE without the right to it may end in a mere warning.
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
$prepare$
"""

# Habits of the analyst role. One SET undoes the last three, so they guard against slips only;
# what holds are grants and the number of connections. An administrator's own values stay.
ANALYST = """
DO $analyst$
DECLARE
    setting text;
BEGIN
    IF (SELECT rolconnlimit FROM pg_roles WHERE rolname = 'gpt4rec_analyst') = -1 THEN
        ALTER ROLE gpt4rec_analyst CONNECTION LIMIT 10;
    END IF;
    FOREACH setting IN ARRAY ARRAY[
        'search_path = analytics', 'statement_timeout = ''5min''',
        'default_transaction_read_only = on'] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_roles CROSS JOIN unnest(rolconfig) AS given
            WHERE rolname = 'gpt4rec_analyst'
            AND split_part(given, '=', 1) = split_part(setting, ' ', 1))
        THEN
            EXECUTE 'ALTER ROLE gpt4rec_analyst SET ' || setting;
        END IF;
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'gpt4rec_analyst keeps its limits: this user may not alter it';
END
$analyst$
"""


def upgrade() -> None:
    # env.py has taken on the owner's role if it could; the steps here may need more than that.
    op.execute("RESET ROLE")
    op.execute(PREPARE)
    op.execute(ANALYST)
    op.execute("ALTER TABLE alembic_version OWNER TO gpt4rec_owner")
    op.execute("SET ROLE gpt4rec_owner")
    op.execute("GRANT SELECT ON alembic_version TO gpt4rec_writer")
    op.execute(
        "COMMENT ON TABLE alembic_version IS 'Exactly one row: the newest migration applied.'"
    )
    op.execute("COMMENT ON COLUMN alembic_version.version_num IS 'number of that migration'")


def downgrade() -> None:
    op.execute("REVOKE ALL ON alembic_version FROM gpt4rec_writer")
