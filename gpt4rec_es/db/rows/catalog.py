"""Apply staged rows to items, users and interactions; only rows that differ are written.

All writes hold the lock of the one row of catalog_state, so imports apply one after the other,
compared rows cannot change before they are written, and inserts in key order cannot deadlock. The
version is raised in the same transaction, if and only if a row changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, CursorResult, Row, text

from gpt4rec_es.db.copy import analyze_tables
from gpt4rec_es.db.rows import item_changes as sql
from gpt4rec_es.errors import DataError

# Number of new rows from which the tables are analyzed: old statistics would give bad plans.
_MANY = 1000
# Maximum wait for another import that is applying its rows.
_LOCK_TIMEOUT = "1h"


@dataclass(frozen=True, slots=True)
class CatalogChanges:
    """Counts of what an import changed, or would change in a dry run.

    duplicates: staged rows replaced by a later row with the same key. version: the catalog or
    history version afterwards. without: field -> number of items without it before and after.
    lost: field -> number of items that had it and have none now. kept: field -> number of items
    that keep it although all their rows delivered it empty.
    """

    inserted: int
    updated: int
    unchanged: int
    duplicates: int
    version: int
    deactivated: int = 0
    users_created: int = 0
    without: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)


def apply_items(
    connection: Connection,
    *,
    dry_run: bool = False,
    deactivate_missing: bool = False,
    max_missing: float = 1.0,
    clear_empty: bool = False,
) -> CatalogChanges:
    """Apply staged_items in the caller's transaction.

    Of an item's rows, the last one that has a value for a field is used. A field that no row has
    keeps its stored value; with ``clear_empty`` only if it was not delivered at all. With
    ``deactivate_missing`` items that were not staged (nor rejected) become inactive, and staged
    items become active unless their rows say inactive.

    Raises:
        DataError: that would deactivate more than the fraction ``max_missing`` of the active items.
    """
    version: int = _lock(connection, dry_run).catalog_version
    _run(connection, "ANALYZE staged_items")
    staged = _run(connection, "SELECT count(*) AS n FROM staged_items").one().n
    _run(connection, sql.RESOLVE_ITEMS, is_full=deactivate_missing, clears=clear_empty)
    _run(connection, "ANALYZE resolved_items")
    found = _run(connection, sql.COUNT_ITEMS).one()
    missing = _count_missing(connection, max_missing) if deactivate_missing else 0
    before = _run(connection, sql.COUNT_WITHOUT).one()
    changed = found.inserted + found.updated + missing
    if changed and not dry_run:
        # Updates run before inserts: Postgres' planner has no statistics about rows just inserted,
        # and an update joined with them took an hour in a test.
        if found.updated:
            _run(connection, sql.UPDATE_ITEMS, version=version + 1)
        _run(connection, sql.INSERT_ITEMS, version=version + 1)
        if missing:
            _run(connection, sql.DEACTIVATE, version=version + 1)
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
        without={
            name: (n, n + getattr(found, f"less_{name}"))
            for name, n in zip(sql.FIELDS, before, strict=True)
        },
        lost={name: getattr(found, f"lost_{name}") for name in sql.FIELDS},
        kept={name: getattr(found, f"kept_{name}") for name in sql.FIELDS},
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


def _run(connection: Connection, statement: str, **parameters: object) -> CursorResult[Any]:
    return connection.execute(text(statement), parameters)


def _lock(connection: Connection, dry_run: bool) -> Row[Any]:
    """Take the lock that serialises imports and return the versions; a dry run takes no lock."""
    _run(connection, f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
    _run(connection, "SET LOCAL statement_timeout = 0")
    return _run(connection, _VERSIONS if dry_run else _VERSIONS + " FOR UPDATE").one()


def _count_missing(connection: Connection, max_missing: float) -> int:
    _run(connection, sql.FIND_MISSING)
    found = _run(connection, sql.COUNT_MISSING).one()
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
