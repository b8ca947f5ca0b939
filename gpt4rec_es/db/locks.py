"""Advisory locks by name: for work of which only one may be under way in this database.

Such a lock cannot expire and dies with its connection, so nothing has to be cleaned up after a
kill. It is no lease: who loses the connection loses the lock without being told, therefore
``HeldLock.check`` before the step that must not be done twice. A connection pooler that shares
sessions between clients breaks it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gpt4rec_es.db.engine import dependency_error, is_transient
from gpt4rec_es.errors import ConflictError

_MINE = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND (classid::bigint << 32) + objid::bigint = :key AND pid = pg_backend_pid()"
)
_HOLDER = text(
    "SELECT a.pid, a.application_name, a.client_addr::text AS address, a.backend_start "
    "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND (classid::bigint << 32) + objid::bigint = :key"
)


# Whoever refers to prompts or queries by number shares it until that is committed; whoever deletes
# such as nobody refers to holds it alone. So neither ever meets a number that is gone.
TEXTS = "prompts and queries"


class HeldLock:
    """A lock that this process holds until its ``hold_lock`` block ends."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self.name = name

    def check(self) -> None:
        """Return if the lock is still held.

        Raises:
            ConflictError: the connection was lost, so somebody else may hold it now.
        """
        try:
            held = self._connection.execute(_MINE, {"key": lock_key(self.name)}).scalar_one()
        except SQLAlchemyError:
            held = 0
        if not held:
            raise ConflictError(
                f"The lock {self.name!r} was lost with its connection.", "Start again."
            )


def lock_key(name: str) -> int:
    """Return the signed 64-bit number that stands for ``name`` in Postgres."""
    digest = hashlib.blake2b(f"gpt4rec:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


@contextmanager
def hold_lock(
    engine: Engine, name: str, *, shared: bool = False, wait_s: float = 0
) -> Iterator[HeldLock]:
    """Hold the lock ``name`` for the length of the block, on a connection of its own.

    shared: beside others that share it. wait_s: how long it is waited for.

    Raises:
        ConflictError: it is held already; the message says by whom and since when.
        DependencyError: Postgres cannot be reached.
    """
    try:
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        # Out of the pool: closing it then ends the session and with it the lock, whatever happens.
        connection.detach()
    except DBAPIError as error:
        if is_transient(error):
            raise dependency_error(error, engine.url) from error
        raise
    with connection:
        connection.execute(text("SET idle_session_timeout = 0"))
        key = {"key": lock_key(name)}
        mode = "_shared" if shared else ""
        if not _take(connection, name, mode, wait_s):
            raise _conflict(connection, name)
        try:
            yield HeldLock(connection, name)
        finally:
            # Closing alone ends the session a moment later: whoever comes next would meet it.
            with suppress(SQLAlchemyError):
                connection.execute(text(f"SELECT pg_advisory_unlock{mode}(:key)"), key)


def _take(connection: Connection, name: str, mode: str, wait_s: float) -> bool:
    """Take a session's lock; return whether it could be had within ``wait_s``."""
    key = {"key": lock_key(name)}
    if not wait_s:
        return bool(
            connection.execute(text(f"SELECT pg_try_advisory_lock{mode}(:key)"), key).scalar_one()
        )
    connection.execute(text("SELECT set_config('lock_timeout', :s, false)"), {"s": f"{wait_s}s"})
    try:
        connection.execute(text(f"SELECT pg_advisory_lock{mode}(:key)"), key)
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) == "55P03":
            return False
        raise
    return True


def limit_waits(connection: Connection, seconds: float) -> None:
    """Let statements of this transaction wait so long for a lock, and no longer; 0: for ever."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{seconds}s'"))


def share_lock(connection: Connection, name: str) -> None:
    """Hold the lock ``name`` beside others that share it, until the transaction ends.

    Who holds it alone does so for a moment: a time-out is left as the database's own error, after
    which ``retrying`` tries the transaction again.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": lock_key(name)})


def transaction_lock(connection: Connection, name: str) -> None:
    """Wait for the lock ``name`` and hold it until the transaction ends.

    Raises:
        ConflictError: somebody else kept it for longer than the session's lock_timeout; the
            transaction must be rolled back.
    """
    try:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(name)})
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) == "55P03":
            raise ConflictError(
                f"{name!r} is being worked on by another process.", "Wait for it, then try again."
            ) from None
        raise


def _conflict(connection: Connection, name: str) -> ConflictError:
    holder = connection.execute(_HOLDER, {"key": lock_key(name)}).first()
    by = "another process"
    if holder is not None:
        where = f" from {holder.address}" if holder.address else ""
        since = f" since {holder.backend_start:%Y-%m-%d %H:%M} UTC" if holder.backend_start else ""
        by = f"{holder.application_name or 'another process'}{where}{since} (session {holder.pid})"
    return ConflictError(
        f"{name!r} is already held by {by}.", "Wait until it has finished, then try again."
    )
