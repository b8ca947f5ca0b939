"""Errors of Postgres and its driver: which are transient, and what to tell an operator.

No message contains a password.
"""

import psycopg2
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gpt4rec_es.errors import DependencyError, UsageError, first_line

# SQLSTATEs after which the same transaction may succeed later, from a new connection.
_TRANSIENT_CLASSES = {
    "08",  # connection exceptions
    "53",  # insufficient resources: disk full, too many connections
}
_TRANSIENT_STATES = {
    "25006",  # read-only transaction: the connection reached a standby during a fail-over
    "25P03",  # idle in transaction for too long: this process was paused
    "40001",  # serialization failure
    "40P01",  # deadlock
    "55P03",  # lock time-out
    "57P01",  # terminated by an administrator, or a fast shutdown
    "57P02",  # crash of another server process
    "57P03",  # starting up or shutting down
    "57P05",  # idle session time-out
}
_NO_RIGHTS = "42501"
SERIALIZATION_FAILURE = "40001"
LOCK_TIMEOUT = "55P03"
# The server answered; it needs no look at the connection.
_BUSY = {SERIALIZATION_FAILURE, "40P01", LOCK_TIMEOUT}
_SHORTEST_MASKED = 4
# What the driver, SQLAlchemy and its pool raise.
DATABASE_ERRORS = (DBAPIError, psycopg2.Error, PoolTimeoutError)


def is_transient(error: BaseException) -> bool:
    """Return whether rerunning the whole transaction on a new connection may succeed.

    True for a lost, restarting, full or overloaded server, a deadlock, a serialization failure and
    a lock time-out, and for a pool without a free connection. False for a statement time-out: a
    rerun would time out, too.
    """
    if isinstance(error, PoolTimeoutError):
        return True
    original: BaseException | None = error
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        original = error.orig
    if not isinstance(original, psycopg2.Error):
        return False
    state = original.pgcode
    if state is not None:
        return state[:2] in _TRANSIENT_CLASSES or state in _TRANSIENT_STATES
    # Without a SQLSTATE the error is libpq's: no connection, or a lost one.
    return isinstance(original, psycopg2.OperationalError | psycopg2.InterfaceError) or (
        type(original) is psycopg2.DatabaseError
    )


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of a database error, also of one wrapped by SQLAlchemy; None: none."""
    state = getattr(getattr(error, "orig", None) or error, "pgcode", None)
    return None if state is None else str(state)


def dependency_error(error: BaseException, url: URL) -> DependencyError:
    """Return the error to show for a transient ``error``: one line without a password."""
    original = getattr(error, "orig", None) or error
    message = first_line(original)
    # A short one occurs inside words; the scrubber of messages finds it as a word.
    if url.password and len(str(url.password)) >= _SHORTEST_MASKED:
        message = message.replace(str(url.password), "***")
    # The host may begin with the rest of a password that has an unescaped @.
    host = (url.host or "local socket").rpartition("@")[2]
    place = f"{host}:{url.port or 5432}/{url.database or ''}"
    return DependencyError(
        f"Postgres at {place} cannot be used now: {message}.".replace("..", "."),
        "Try again when fewer processes use the database."
        if isinstance(error, PoolTimeoutError) or sqlstate(error) in _BUSY
        else "Check that the server runs and that DATABASE_URL is right.",
    )


def rights_error(error: BaseException) -> UsageError | None:
    """Return the error to show if ``error`` means that the role lacks privileges, else None."""
    original = getattr(error, "orig", None) or error
    if sqlstate(error) != _NO_RIGHTS:
        return None
    message = first_line(original)
    return UsageError(
        f"Postgres refuses this to the role that logged in: {message}.",
        "DATABASE_URL must be of a member of gpt4rec_writer, GPT4REC_OWNER_DATABASE_URL of one of "
        "gpt4rec_owner; `gpt4rec doctor` checks both.",
    )
