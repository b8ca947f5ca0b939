"""Engines for Postgres, and retries when the server is lost in the middle of a transaction.

All time-outs are set here. This module reads no settings, and its messages contain no password.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import psycopg2
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gpt4rec_es.errors import DependencyError, UsageError

T = TypeVar("T")

_DRIVER = "postgresql+psycopg2"

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
# What the driver, SQLAlchemy and its pool raise.
DATABASE_ERRORS = (DBAPIError, psycopg2.Error, PoolTimeoutError)
# libpq gives no SQLSTATE for a refused login; retrying does not help.
_REFUSALS = ("password authentication failed", "no pg_hba.conf entry", "does not exist")


def normalise_url(url: str) -> str:
    """Return ``url`` for the psycopg2 driver: ``postgresql+psycopg2://...``.

    A bare ``postgresql://`` would make SQLAlchemy look for another driver.

    Raises:
        UsageError: not a Postgres URL; the text never repeats the URL, which may hold a password.
    """
    scheme, separator, rest = url.strip().partition("://")
    hint = "Write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
    if not separator or scheme not in {"postgres", "postgresql", _DRIVER}:
        shown = f"starts with {scheme}://" if separator and scheme.isascii() else "is not a URL"
        raise UsageError(f"DATABASE_URL {shown}, which is not Postgres.", hint)
    normal = f"{_DRIVER}://{rest}"
    try:
        make_url(normal)
    except (ArgumentError, ValueError):
        raise UsageError("DATABASE_URL cannot be read.", hint) from None
    return normal


def make_engine(
    url: str,
    *,
    application_name: str,
    pool_size: int = 5,
    statement_timeout_s: float = 600,
    lock_timeout_s: float = 5,
    connect_timeout_s: int = 3,
    idle_in_transaction_timeout_s: float = 300,
    isolation: IsolationLevel | None = None,
) -> Engine:
    """Return an engine with time-outs for all waits; no connection is opened yet.

    TCP keepalives detect a dead server within about a minute. Sessions run in UTC. ``isolation``
    None is the server's default, READ COMMITTED.
    """
    parsed = make_url(normalise_url(url))
    session = {
        "statement_timeout": round(statement_timeout_s * 1000),
        "lock_timeout": round(lock_timeout_s * 1000),
        "idle_in_transaction_session_timeout": round(idle_in_transaction_timeout_s * 1000),
        "timezone": "UTC",
    }
    given = parsed.query.get("options", "")
    options = [given if isinstance(given, str) else " ".join(given)]
    options += [f"-c {name}={value}" for name, value in session.items()]
    engine = create_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=2,
        pool_pre_ping=True,
        # The server repeats values in its own messages; the log formatter removes those.
        hide_parameters=True,
        json_serializer=partial(json.dumps, ensure_ascii=False, allow_nan=False),
        connect_args={
            "application_name": application_name,
            "connect_timeout": connect_timeout_s,
            "client_encoding": "utf8",
            "options": " ".join(options).strip(),
            "keepalives": 1,
            "keepalives_idle": 20,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 50_000,
        },
    )
    return engine if isolation is None else engine.execution_options(isolation_level=isolation)


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
    lines = str(original).strip().splitlines() or [type(original).__name__]
    message = lines[0]
    if url.password:
        message = message.replace(str(url.password), "***")
    place = f"{url.host or 'local socket'}:{url.port or 5432}/{url.database or ''}"
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
    message = str(original).strip().partition("\n")[0]
    return UsageError(
        f"Postgres refuses this to the role that logged in: {message}.",
        "DATABASE_URL must be of a member of gpt4rec_writer, GPT4REC_OWNER_DATABASE_URL of one of "
        "gpt4rec_owner; `gpt4rec doctor` checks both.",
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction; commit at the end, roll back on any error.

    Raises:
        DependencyError: the server was lost or cannot work now; nothing was stored, unless only the
        answer to the commit was lost.
    """
    with _dependency_errors(engine), engine.begin() as connection:
        yield connection


def untimed(connection: Connection) -> None:
    """Disable the statement time-out of this transaction."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))


def disable_statement_timeout(connection: Connection) -> None:
    """Prepare this transaction for statements over all users: no time-out, more work_mem."""
    untimed(connection)
    connection.execute(text("SET LOCAL work_mem = '64MB'"))


@contextmanager
def session(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that is closed at the end of the block, which ends its session.

    For work on temporary tables in many short transactions, which the caller commits.

    Raises:
        DependencyError: the server was lost or cannot work now.
    """
    with _dependency_errors(engine), engine.connect() as connection:
        try:
            yield connection
        finally:
            connection.invalidate()


@contextmanager
def _dependency_errors(engine: Engine) -> Iterator[None]:
    try:
        yield
    except DATABASE_ERRORS as error:
        if is_transient(error):
            raise dependency_error(error, engine.url) from error
        raise


def retrying(
    engine: Engine,
    work: Callable[[Connection], T],
    *,
    deadline_s: float = 60.0,
    first_wait_s: float = 0.1,
    max_wait_s: float = 5.0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Return ``work(connection)``, run in its own transaction and retried on transient errors.

    Each try has a new connection; waits double up to ``max_wait_s`` and have jitter, so that
    workers do not reconnect at the same time. ``work`` must be idempotent, also after it succeeded:
    the answer to a commit can get lost.

    Raises:
        DependencyError: still failing after ``deadline_s``, or the server refuses the login.
    """
    end = clock() + deadline_s
    wait = first_wait_s
    while True:
        try:
            with engine.begin() as connection:
                return work(connection)
        except DATABASE_ERRORS as error:
            if not is_transient(error):
                raise
            pause = wait * random.uniform(0.5, 1.5)  # noqa: S311 -- spreads load, hides nothing
            refused = any(text in str(error) for text in _REFUSALS)
            if refused or clock() + pause > end:
                raise dependency_error(error, engine.url) from error
        sleep(pause)
        wait = min(wait * 2, max_wait_s)
