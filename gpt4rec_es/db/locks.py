"""Advisory locks by name, for work that only one process may do at a time in this database.

The lock does not expire and is released when its connection ends, so a killed process leaves
nothing to clean up. It is no lease: a holder that loses its connection loses the lock without
notice, so call ``HeldLock.check`` before a step that must not be done twice. Connection poolers
that share sessions between clients are not supported.
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


# Shared by transactions that store references to prompts or queries; exclusive for a prune, which
# deletes those without references. So no reference to a deleted number is stored.
TEXTS = "prompts and queries"


class HeldLock:
    """A lock that this process holds until its ``hold_lock`` block ends."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self.name = name

    def check(self) -> None:
        """Raise unless the lock is still held.

        Raises:
            ConflictError: the connection was lost, so another process may hold the lock now.
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
    """Return the signed 64-bit advisory lock key of ``name``."""
    digest = hashlib.blake2b(f"gpt4rec:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


@contextmanager
def hold_lock(
    engine: Engine, name: str, *, shared: bool = False, wait_s: float = 0
) -> Iterator[HeldLock]:
    """Hold the lock ``name`` during the block, on a separate connection.

    shared: take the lock in shared mode. wait_s: maximum wait in seconds.

    Raises:
        ConflictError: the lock is held; the message names the holder and the time.
        DependencyError: Postgres cannot be reached.
    """
    try:
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        # Detached from the pool, so that closing it always ends the session and releases the lock.
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
            # Closing alone releases the lock a moment later; the next caller could still find it
            # held.
            with suppress(SQLAlchemyError):
                connection.execute(text(f"SELECT pg_advisory_unlock{mode}(:key)"), key)


def _take(connection: Connection, name: str, mode: str, wait_s: float) -> bool:
    """Take a session-level lock; return whether it was free within ``wait_s`` seconds."""
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


def set_lock_timeout(connection: Connection, seconds: float) -> None:
    """Set this transaction's lock_timeout in seconds; 0: no time-out."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{seconds}s'"))


def share_lock(connection: Connection, name: str) -> None:
    """Hold the lock ``name`` in shared mode until the transaction ends.

    The exclusive holder keeps it for a short time only: a time-out raises the database's own error,
    after which ``retrying`` reruns the transaction.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": lock_key(name)})


def transaction_lock(connection: Connection, name: str) -> None:
    """Wait for the lock ``name`` and hold it until the transaction ends.

    Raises:
        ConflictError: another session held it for longer than lock_timeout; the caller must roll
        back.
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
