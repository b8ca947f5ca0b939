"""Named locks, for work that only one process may do at a time in this database.

They are rows of tables that only the writer may change: an advisory lock could be taken by any
role, an analyst's too, and the night would wait for it. A lock is held for a transaction by locking
the row of its name, or for a session by a row in ``lock_holders``. The session proves that it lives
by an advisory lock with a random key, its mark, that nobody waits for; so a killed process leaves
nothing to clean up. A holder that loses its connection loses the lock without notice: call
``HeldLock.check`` before a step that must not be done twice. Connection poolers that share sessions
between clients are not supported.
"""

import hashlib
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from gpt4rec_es.db.engine import dependency_errors
from gpt4rec_es.db.errors import DATABASE_ERRORS, LOCK_TIMEOUT, sqlstate
from gpt4rec_es.db.pooling import refuse_shared_sessions
from gpt4rec_es.errors import ConflictError, LockedError

# Shared by transactions that store references to prompts or queries; exclusive for a prune, which
# deletes those without references. So no reference to a deleted number is stored.
TEXTS = "prompts and queries"

# Seconds between two looks at the holders of a lock.
_POLL_S = 0.2
# Seconds to wait for the row of a lock, which processes that only look lock for an instant.
_ROW_WAIT_S = 1.0

_IS_LIVE = """
    EXISTS (SELECT FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.granted
            AND l.objsubid = 1 AND l.pid = h.pid
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (l.classid::bigint << 32) + l.objid::bigint = h.mark)
"""
_HOLDERS = text(f"""
    SELECT h.pid, h.taken_at, a.application_name, a.client_addr::text AS address
    FROM lock_holders AS h LEFT JOIN pg_stat_activity AS a USING (pid)
    WHERE h.name = :name AND {_IS_LIVE} AND NOT (:shared AND h.is_shared)
""")  # noqa: S608 - constants
_DELETE_DEAD = text(f"DELETE FROM lock_holders AS h WHERE NOT {_IS_LIVE}")  # noqa: S608
_INSERT = text("""
    INSERT INTO lock_holders (name, mark, pid, is_shared)
    SELECT :name, :mark, pg_backend_pid(), :shared FROM (SELECT pg_advisory_lock(:mark)) AS mark
""")
_MINE = text(
    "SELECT count(*) FROM lock_holders "
    "WHERE name = :name AND mark = :mark AND pid = pg_backend_pid()"
)


class HeldLock:
    """A lock that this process holds until its ``hold_lock`` block ends."""

    def __init__(self, connection: Connection, name: str, mark: int) -> None:
        self._connection = connection
        self._mark = mark
        self.name = name

    def check(self) -> None:
        """Raise unless the lock is still held.

        Raises:
            ConflictError: the connection was lost, so another process may hold the lock now.
        """
        try:
            with self._connection.begin():
                found = self._connection.execute(_MINE, {"name": self.name, "mark": self._mark})
                held = found.scalar_one()
        except SQLAlchemyError:
            held = 0
        if not held:
            raise ConflictError(
                f"The lock {self.name!r} was lost with its connection.", "Start again."
            )


def lock_key(name: str) -> int:
    """Return a signed 64-bit advisory lock key of ``name``, for use before there are tables."""
    digest = hashlib.blake2b(f"gpt4rec:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


@contextmanager
def hold_lock(
    engine: Engine, name: str, *, shared: bool = False, wait_s: float = 0
) -> Iterator[HeldLock]:
    """Hold the lock ``name`` during the block, on a separate connection.

    shared: take the lock in shared mode. wait_s: maximum wait in seconds.

    Raises:
        LockedError: the lock is held; the message names the holder and the time.
        DependencyError: Postgres cannot be reached.
    """
    with dependency_errors(engine):
        connection = engine.connect()
    with connection:
        with dependency_errors(engine):
            # Other levels would not see holders that commit meanwhile.
            connection.execution_options(isolation_level="READ COMMITTED")
            # Detached from the pool, so that closing it always ends the session and releases the
            # lock.
            connection.detach()
            with connection.begin():
                refuse_shared_sessions(engine, connection, f"the lock {name!r}")
                connection.execute(text("SET idle_session_timeout = 0"))
            mark = _wait(connection, name, shared, wait_s)
        if mark is None:
            raise _locked(connection, name, shared)
        try:
            yield HeldLock(connection, name, mark)
        finally:
            # Closing alone releases the lock a moment later; the next caller could still find it
            # held.
            with suppress(SQLAlchemyError), connection.begin():
                release(connection, name, mark)


def take(connection: Connection, name: str, *, shared: bool = False) -> int:
    """Make this session a holder of ``name``, unconditionally, and return its mark.

    Other sessions see it after the commit.
    """
    mark = secrets.randbits(63)
    connection.execute(_INSERT, {"name": name, "mark": mark, "shared": shared})
    return mark


def release(connection: Connection, name: str, mark: int) -> None:
    """End a hold of this session."""
    connection.execute(
        text("DELETE FROM lock_holders WHERE name = :name AND mark = :mark"),
        {"name": name, "mark": mark},
    )
    connection.execute(text("SELECT pg_advisory_unlock(:mark)"), {"mark": mark})


def is_held(connection: Connection, name: str) -> bool:
    """Return whether a live session holds ``name``."""
    return connection.execute(_HOLDERS, {"name": name, "shared": False}).first() is not None


def delete_dead(connection: Connection) -> None:
    """Delete the rows of killed holders, which hold nothing any more."""
    connection.execute(_DELETE_DEAD)


def _wait(connection: Connection, name: str, shared: bool, wait_s: float) -> int | None:
    """Take the lock for this session within ``wait_s`` seconds; None: others hold it."""
    end = time.monotonic() + wait_s
    while True:
        try:
            with connection.begin():
                set_lock_timeout(connection, _ROW_WAIT_S)
                _lock_row(connection, name, shared=shared)
                others = connection.execute(_HOLDERS, {"name": name, "shared": shared}).first()
                if others is None:
                    return take(connection, name, shared=shared)
        except DATABASE_ERRORS as error:
            if sqlstate(error) != LOCK_TIMEOUT:
                raise
        left = end - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(_POLL_S, left))


def _lock_row(connection: Connection, name: str, *, shared: bool) -> None:
    """Lock the row of ``name`` until the transaction ends; waits for up to lock_timeout."""
    lock = text(f"SELECT FROM locks WHERE name = :name FOR {'SHARE' if shared else 'UPDATE'}")
    if connection.execute(lock, {"name": name}).first() is None:
        connection.execute(
            text("INSERT INTO locks (name) VALUES (:name) ON CONFLICT DO NOTHING"), {"name": name}
        )
        connection.execute(lock, {"name": name})


def set_lock_timeout(connection: Connection, seconds: float) -> None:
    """Set this transaction's lock_timeout in seconds; 0: no time-out."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{seconds}s'"))


def share_lock(connection: Connection, name: str) -> None:
    """Hold the lock ``name`` in shared mode until the transaction ends.

    For names that no session holds exclusively. The exclusive holder keeps it for a short time
    only: a time-out raises the database's own error, after which ``retrying`` reruns the
    transaction.
    """
    _lock_row(connection, name, shared=True)


def transaction_lock(connection: Connection, name: str) -> None:
    """Wait for the lock ``name`` and hold it until the transaction ends.

    Raises:
        ConflictError: another transaction held it for longer than lock_timeout, or a session holds
        it; the caller must roll back.
    """
    busy = ConflictError(
        f"{name!r} is being worked on by another process.", "Wait for it, then try again."
    )
    try:
        _lock_row(connection, name, shared=False)
    except DATABASE_ERRORS as error:
        if sqlstate(error) == LOCK_TIMEOUT:
            raise busy from None
        raise
    if connection.execute(_HOLDERS, {"name": name, "shared": False}).first() is not None:
        raise busy


def _locked(connection: Connection, name: str, shared: bool) -> LockedError:
    holder = connection.execute(_HOLDERS, {"name": name, "shared": shared}).first()
    by = "another process"
    if holder is not None:
        where = f" from {holder.address}" if holder.address else ""
        since = f" since {holder.taken_at:%Y-%m-%d %H:%M} UTC"
        by = f"{holder.application_name or 'another process'}{where}{since} (session {holder.pid})"
    return LockedError(
        f"{name!r} is already held by {by}.", "Wait until it has finished, then try again."
    )
