"""Apply staged users: new ones are inserted, attributes of known ones completed.

The versions of catalog and histories stay, because a user alone changes neither.
"""

from sqlalchemy import Connection, text

from gpt4rec_es.db.copy import analyze_tables
from gpt4rec_es.db.rows.catalog import CatalogChanges

# Number of new rows from which the table is analyzed.
_MANY = 1000

# The same lock as for items and interactions: imports apply one after the other.
_LOCK = "SELECT history_version FROM catalog_state"
_RESOLVE = """
    CREATE TEMP TABLE resolved_users ON COMMIT DROP AS
    SELECT last.user_id, u.user_no, last.attributes,
           u.user_no IS NOT NULL
               AND NOT coalesce(u.attributes, '{}') @> last.attributes AS differs
    FROM (
        SELECT user_id,
               coalesce(jsonb_object_agg(key, value ORDER BY seq)
                   FILTER (WHERE key IS NOT NULL), '{}') AS attributes
        FROM staged_new_users LEFT JOIN LATERAL jsonb_each(attributes) ON true
        GROUP BY user_id
    ) AS last
    LEFT JOIN users AS u USING (user_id)
"""
_COUNT = """
    SELECT count(*) AS resolved,
           count(*) FILTER (WHERE user_no IS NULL) AS inserted,
           count(*) FILTER (WHERE differs) AS updated,
           (SELECT count(*) FROM staged_new_users) AS staged
    FROM resolved_users
"""
_UPDATE = """
    UPDATE users AS u SET attributes = coalesce(u.attributes, '{}') || r.attributes
    FROM resolved_users AS r WHERE r.differs AND u.user_no = r.user_no
"""
_INSERT = """
    INSERT INTO users (user_id, attributes)
    SELECT user_id, nullif(attributes, '{}') FROM resolved_users
    WHERE user_no IS NULL ORDER BY user_id
"""


def apply_users(connection: Connection, *, dry_run: bool = False) -> CatalogChanges:
    """Apply staged_new_users in the caller's transaction; of equal names the last value is used."""
    connection.execute(text("SET LOCAL lock_timeout = '1h'"))
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    version = connection.execute(text(_LOCK if dry_run else _LOCK + " FOR UPDATE")).scalar_one()
    connection.execute(text("ANALYZE staged_new_users"))
    connection.execute(text(_RESOLVE))
    found = connection.execute(text(_COUNT)).one()
    if not dry_run:
        connection.execute(text(_UPDATE))
        connection.execute(text(_INSERT))
        if found.inserted >= _MANY:
            analyze_tables(connection, ("users",))
    return CatalogChanges(
        inserted=found.inserted,
        updated=found.updated,
        unchanged=found.resolved - found.inserted - found.updated,
        duplicates=found.staged - found.resolved,
        version=version,
        users_created=found.inserted,
    )
