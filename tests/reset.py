"""Reset a used test database to the state of its template."""

from sqlalchemy import Connection, text

# Larger databases are faster to drop than to empty.
_MAX_BYTES = 100_000_000
# All that a test may change besides rows: tables, columns, constraints, indexes, views, functions,
# rights, comments, the version. Partitions of runs are excluded. Of what would be a long text the
# transaction that made it is compared, which a copy has from its template.
_FINGERPRINT = text("""
WITH partitions AS (
    SELECT c.oid FROM pg_class AS c WHERE c.relispartition
    AND c.relnamespace = 'public'::regnamespace
), relations AS (
    SELECT c.* FROM pg_class AS c
    WHERE c.oid >= 16384 -- the first number of what users make
    AND c.relnamespace::regnamespace::text !~ '^pg_' AND NOT c.relispartition
    AND NOT EXISTS (SELECT FROM pg_index AS i JOIN partitions AS p ON p.oid = i.indrelid
                    WHERE i.indexrelid = c.oid)
)
SELECT md5(string_agg(line, ' ' ORDER BY line)) FROM (
    SELECT concat_ws(' ', 'class', oid, relname, relkind, relowner, relacl, reloptions,
        (SELECT xmin FROM pg_index WHERE indexrelid = oid),
        (SELECT string_agg(xmin::text, ' ' ORDER BY oid) FROM pg_rewrite WHERE ev_class = r.oid))
    FROM relations AS r
    UNION ALL
    SELECT concat_ws(' ', 'column', attrelid, attname, atttypid, atttypmod, attnotnull, attacl,
        d.xmin)
    FROM pg_attribute AS a JOIN relations AS r ON r.oid = a.attrelid
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT concat_ws(' ', 'comment', classoid, objoid, objsubid, xmin)
    FROM pg_description WHERE objoid >= 16384
    UNION ALL
    SELECT concat_ws(' ', 'constraint', conname, k.xmin)
    FROM pg_constraint AS k JOIN relations AS r ON r.oid = k.conrelid
    UNION ALL
    SELECT concat_ws(' ', 'function', p.oid::regprocedure, proacl, proowner, md5(prosrc),
        proconfig, prosecdef)
    FROM pg_proc AS p WHERE pronamespace::regnamespace::text NOT LIKE 'pg\\_%'
    UNION ALL
    SELECT concat_ws(' ', 'trigger', tgname) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT concat_ws(' ', 'schema', nspname, nspacl, obj_description(oid, 'pg_namespace'))
    FROM pg_namespace
    WHERE nspname !~ '^pg_(toast_)?temp'
    UNION ALL
    SELECT concat_ws(' ', 'version', to_jsonb(v)) FROM alembic_version AS v
) AS lines (line)
""")
_ROWS = text("""
DO $reset$
DECLARE
    one record;
BEGIN
    -- No cascades and no checks of foreign keys: everything goes.
    SET LOCAL session_replication_role = replica;
    FOR one IN SELECT inhrelid::regclass AS name FROM pg_inherits
        JOIN pg_class ON pg_class.oid = inhrelid WHERE relkind = 'r' LOOP
        EXECUTE format('DROP TABLE %s', one.name);
    END LOOP;
    FOR one IN SELECT oid::regclass AS name, pg_relation_size(oid) AS bytes FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        AND relname <> 'alembic_version' LOOP
        IF one.bytes > 1000000 THEN
            EXECUTE format('TRUNCATE %s CASCADE', one.name);
        ELSIF one.bytes > 0 THEN
            EXECUTE format('DELETE FROM %s', one.name);
        END IF;
    END LOOP;
    PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence;
    INSERT INTO catalog_state VALUES (true, 0, 0);
END
$reset$
""")


def is_as_new(connection: Connection, schema: str) -> bool:
    """Return whether a copy is small and still has the schema of its template."""
    size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    return size <= _MAX_BYTES and schema_of(connection) == schema


def reset_rows(connection: Connection) -> None:
    """Delete all rows and partitions, and restart all sequences."""
    connection.execute(_ROWS)


def schema_of(connection: Connection) -> str:
    """Return a hash of the schema; empty if there is no version table."""
    exists = connection.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    return str(connection.execute(_FINGERPRINT).scalar_one()) if exists.scalar_one() else ""
