"""Apply staged rows to items, users and interactions; only rows that differ are written.

All writes hold the lock of the one row of catalog_state, so imports apply one after the other,
compared rows cannot change before they are written, and inserts in key order cannot deadlock. The
version is raised in the same transaction, if and only if a row changed.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Row, text

from gpt4rec_es.db.copy import analyze_tables
from gpt4rec_es.errors import DataError

# Number of new rows from which the tables are analyzed: old statistics would give bad plans.
_MANY = 1000
# Maximum wait for another import that is applying its rows.
_LOCK_TIMEOUT = "1h"


@dataclass(frozen=True, slots=True)
class CatalogChanges:
    """Counts of what an import changed, or would change in a dry run.

    duplicates: staged rows replaced by a later row with the same key. version: the catalog or
    history version afterwards.
    """

    inserted: int
    updated: int
    unchanged: int
    duplicates: int
    version: int
    deactivated: int = 0
    users_created: int = 0


def apply_items(
    connection: Connection,
    *,
    dry_run: bool = False,
    deactivate_missing: bool = False,
    max_missing: float = 1.0,
) -> CatalogChanges:
    """Apply staged_items in the caller's transaction; the last row of each item is used.

    A field that was not delivered keeps its value. With ``deactivate_missing`` items that were not
    staged (nor rejected) become inactive, and staged items become active unless their row says
    inactive.

    Raises:
        DataError: that would deactivate more than the fraction ``max_missing`` of the active items.
    """
    version: int = _lock(connection, dry_run).catalog_version
    _run(connection, "ANALYZE staged_items")
    staged = _run(connection, "SELECT count(*) AS n FROM staged_items").one().n
    _run(connection, _RESOLVE_ITEMS, is_full=deactivate_missing)
    _run(connection, "ANALYZE resolved_items")
    found = _run(connection, _COUNT_ITEMS).one()
    missing = _count_missing(connection, max_missing) if deactivate_missing else 0
    changed = found.inserted + found.updated + missing
    if changed and not dry_run:
        # Updates run before inserts: Postgres' planner has no statistics about rows just inserted,
        # and an update joined with them took an hour in a test.
        if found.updated:
            _run(connection, _UPDATE_ITEMS, version=version + 1)
        _run(connection, _INSERT_ITEMS, version=version + 1)
        if missing:
            _run(connection, _DEACTIVATE, version=version + 1)
        _run(connection, "UPDATE catalog_state SET catalog_version = :v", v=version + 1)
        if found.inserted >= _MANY:
            analyze_tables(connection, ("items",))
    return CatalogChanges(
        inserted=found.inserted,
        updated=found.updated,
        unchanged=found.resolved - found.inserted - found.updated,
        duplicates=staged - found.resolved,
        version=version + bool(changed),
        deactivated=missing,
    )


def apply_interactions(connection: Connection, *, dry_run: bool = False) -> CatalogChanges:
    """Apply staged_interactions in the caller's transaction; the last row of equal keys is used.

    Unknown users are inserted. A stored event whose ordinal or rating differs is updated and keeps
    its version, because an unfinished run still reads it.
    """
    version: int = _lock(connection, dry_run).history_version
    _run(connection, "ANALYZE staged_interactions")
    staged = _run(connection, "SELECT count(*) AS n FROM staged_interactions").one().n
    _run(connection, _RESOLVE_INTERACTIONS)
    _run(connection, "ANALYZE resolved_interactions")
    found = _run(connection, _COUNT_INTERACTIONS).one()
    changed = found.inserted + found.updated
    if changed and not dry_run:
        if found.users:
            _run(connection, _INSERT_USERS)
        if found.updated:  # before the additions, as for items
            _run(connection, _UPDATE_INTERACTIONS)
        _run(connection, _INSERT_INTERACTIONS, version=version + 1)
        _run(connection, "UPDATE catalog_state SET history_version = :v", v=version + 1)
        if found.inserted >= _MANY:
            analyze_tables(connection, ("users", "interactions"))
    return CatalogChanges(
        inserted=found.inserted,
        updated=found.updated,
        unchanged=found.resolved - changed,
        duplicates=staged - found.resolved,
        version=version + bool(changed),
        users_created=found.users,
    )


def _run(connection: Connection, sql: str, **parameters: object) -> CursorResult[Any]:
    return connection.execute(text(sql), parameters)


def _lock(connection: Connection, dry_run: bool) -> Row[Any]:
    """Take the lock that serialises imports and return the versions; a dry run takes no lock."""
    _run(connection, f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
    _run(connection, "SET LOCAL statement_timeout = 0")
    return _run(connection, _VERSIONS if dry_run else _VERSIONS + " FOR UPDATE").one()


def _count_missing(connection: Connection, max_missing: float) -> int:
    _run(connection, _FIND_MISSING)
    found = _run(connection, _COUNT_MISSING).one()
    if found.missing > max_missing * found.active:
        raise DataError(
            f"{found.missing:,} of {found.active:,} active items are missing from the files, "
            f"more than {max_missing:.0%}.",
            "Deliver the full catalog; if they are really gone, raise --max-missing.",
        )
    missing: int = found.missing
    return missing


# ---------------------------------------------------------------- statements

_VERSIONS = "SELECT catalog_version, history_version FROM catalog_state"

# Bits of staged_items.given: 1 title, 2 brand, 4 category, 8 price.
_RESOLVE_ITEMS = """
    CREATE TEMP TABLE resolved_items ON COMMIT DROP AS
    SELECT new.*, old.item_no,
           old.item_no IS NOT NULL
               AND (new.title, new.title_raw, new.brand, new.category, new.price, new.is_active)
               IS DISTINCT FROM
               (old.title, old.title_raw, old.brand, old.category, old.price, old.is_active)
               AS differs
    FROM (
        SELECT item_id,
               CASE WHEN given & 1 <> 0 THEN last.title ELSE i.title END AS title,
               CASE WHEN given & 1 <> 0 THEN last.title_raw ELSE i.title_raw END AS title_raw,
               CASE WHEN given & 2 <> 0 THEN last.brand ELSE i.brand END AS brand,
               CASE WHEN given & 4 <> 0 THEN last.category ELSE i.category END AS category,
               CASE WHEN given & 8 <> 0 THEN last.price ELSE i.price END AS price,
               coalesce(last.is_active, CASE WHEN :is_full THEN true END, i.is_active, true)
                   AS is_active
        FROM (
            SELECT DISTINCT ON (item_id) * FROM staged_items ORDER BY item_id, seq DESC
        ) AS last
        LEFT JOIN items AS i USING (item_id)
    ) AS new
    LEFT JOIN items AS old USING (item_id)
"""
_COUNT_ITEMS = """
    SELECT count(*) AS resolved,
           count(*) FILTER (WHERE item_no IS NULL) AS inserted,
           count(*) FILTER (WHERE differs) AS updated
    FROM resolved_items
"""
_INSERT_ITEMS = """
    INSERT INTO items (item_id, title, title_raw, brand, category, price, is_active, version)
    SELECT item_id, title, title_raw, brand, category, price, is_active, :version
    FROM resolved_items WHERE item_no IS NULL ORDER BY item_id
"""
_UPDATE_ITEMS = """
    UPDATE items AS i
    SET title = r.title, title_raw = r.title_raw, brand = r.brand, category = r.category,
        price = r.price, is_active = r.is_active, version = :version,
        updated_at = clock_timestamp()
    FROM resolved_items AS r WHERE r.differs AND r.item_no = i.item_no
"""
_FIND_MISSING = """
    CREATE TEMP TABLE missing_items ON COMMIT DROP AS
    SELECT item_no FROM items AS i
    WHERE i.is_active
      AND NOT EXISTS (SELECT FROM resolved_items AS r WHERE r.item_id = i.item_id)
      AND NOT EXISTS (SELECT FROM staged_rejected_ids AS j WHERE j.item_id = i.item_id)
"""
_COUNT_MISSING = """
    SELECT (SELECT count(*) FROM missing_items) AS missing,
           (SELECT count(*) FROM items WHERE is_active) AS active
"""
_DEACTIVATE = """
    UPDATE items AS i
    SET is_active = false, version = :version, updated_at = clock_timestamp()
    FROM missing_items AS m WHERE m.item_no = i.item_no
"""

# is_known: an event of this key is stored; differs: with another ordinal or rating.
_RESOLVE_INTERACTIONS = """
    CREATE TEMP TABLE resolved_interactions ON COMMIT DROP AS
    SELECT last.user_id, u.user_no, last.item_no, last.event_no, last.has_time, last.ordinal,
           last.rating, old.user_no IS NOT NULL AS is_known,
           old.user_no IS NOT NULL
               AND (old.ordinal, old.rating) IS DISTINCT FROM (last.ordinal, last.rating)
               AS differs
    FROM (
        SELECT DISTINCT ON (user_id, item_no, event_no) *
        FROM staged_interactions ORDER BY user_id, item_no, event_no, seq DESC
    ) AS last
    LEFT JOIN users AS u USING (user_id)
    LEFT JOIN interactions AS old
        ON old.user_no = u.user_no AND old.item_no = last.item_no
        AND old.event_no = last.event_no
"""
_COUNT_INTERACTIONS = """
    SELECT count(*) AS resolved,
           count(*) FILTER (WHERE NOT is_known) AS inserted,
           count(*) FILTER (WHERE differs) AS updated,
           count(DISTINCT user_id) FILTER (WHERE user_no IS NULL) AS users
    FROM resolved_interactions
"""
_INSERT_USERS = """
    INSERT INTO users (user_id)
    SELECT DISTINCT user_id FROM resolved_interactions WHERE user_no IS NULL ORDER BY user_id
"""
_INSERT_INTERACTIONS = """
    INSERT INTO interactions (user_no, item_no, event_no, ordinal, event_at, rating, version)
    SELECT u.user_no, r.item_no, r.event_no, r.ordinal,
           CASE WHEN r.has_time THEN
               timestamptz 'epoch' + r.event_no * interval '1 microsecond' END,
           r.rating, :version
    FROM resolved_interactions AS r JOIN users AS u USING (user_id)
    WHERE NOT r.is_known ORDER BY u.user_no, r.item_no, r.event_no
"""
_UPDATE_INTERACTIONS = """
    UPDATE interactions AS i SET ordinal = r.ordinal, rating = r.rating
    FROM resolved_interactions AS r
    WHERE r.differs AND i.user_no = r.user_no AND i.item_no = r.item_no
    AND i.event_no = r.event_no
"""
