"""Refuse to work on a database whose schema is older than this code.

No migration is run here. A schema of a newer revision is accepted: a deployment migrates first,
while workers of the old code still run.
"""

import logging
from typing import Any

from sqlalchemy import Engine, event

from gpt4rec_es.errors import UsageError
from gpt4rec_es.resources import resource_path

log = logging.getLogger(__name__)

# NULL: no such table; false: this role may not read it, as gpt4rec_analyst.
_READABLE = "SELECT has_table_privilege(to_regclass('alembic_version'), 'SELECT')"
_REVISION = "SELECT max(version_num) FROM alembic_version"
# Lower revision numbers are schemas from before the first release.
_FIRST = "0101"


def revisions() -> list[str]:
    """Return the revisions that this code knows (the names of its migrations), oldest first."""
    versions = resource_path("migrations", "versions")
    return sorted(file.name.partition("_")[0] for file in versions.glob("[0-9]*_*.py"))


def refuse_unreleased(database: str | None, revision: str | None) -> None:
    """Raise if no migration can start at ``revision``; unknown revisions pass.

    Raises:
        UsageError: it is from before the first release.
    """
    if revision is not None and revision < _FIRST:
        raise UsageError(
            f"The database {database!r} is at revision {revision}, from before the first release: "
            "it cannot be upgraded.",
            "Dump what you want to keep, make a new database, run `gpt4rec db upgrade` on it, and "
            "import again.",
        )


def require_schema(engine: Engine) -> Engine:
    """Return ``engine``, changed to raise on connect while the schema is older than this code.

    It costs one round trip on the first connection; a positive result is not checked again.

    Raises, when a connection is opened:
        UsageError: the schema is older than this code, or there is none.
    """
    known = revisions()
    fits = False

    @event.listens_for(engine, "connect")
    def check(connection: Any, _record: object) -> None:
        nonlocal fits
        if fits:
            return
        can_see, found = _revision(connection)
        try:
            refuse_unreleased(engine.url.database, found)
        except UsageError:
            connection.close()
            raise
        if can_see and (found is None or found in known[:-1]):
            connection.close()
            raise UsageError(
                f"The database {engine.url.database!r} is at revision {found or 'none'}; "
                f"this code needs {known[-1]}.",
                "Run `gpt4rec db upgrade` as the owner.",
            )
        if can_see and found != known[-1]:
            log.warning(
                "the database is at revision %s, which this code does not know; it knows %s",
                found,
                known[-1],
            )
        fits = True

    return engine


def _revision(connection: Any) -> tuple[bool, str | None]:
    """Return whether this role may read the revision, and the revision (None: not migrated)."""
    found = None
    with connection.cursor() as cursor:
        cursor.execute(_READABLE)
        (is_readable,) = cursor.fetchone()
        if is_readable:
            cursor.execute(_REVISION)
            (found,) = cursor.fetchone()
    connection.rollback()
    return is_readable is not False, found
