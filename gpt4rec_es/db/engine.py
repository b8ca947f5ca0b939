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

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import ArgumentError

from gpt4rec_es.db.errors import DATABASE_ERRORS, dependency_error, is_transient
from gpt4rec_es.db.pooling import refuse_shared_sessions
from gpt4rec_es.errors import UsageError

T = TypeVar("T")

_DRIVER = "postgresql+psycopg2"

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
    None is READ COMMITTED.
    """
    parsed = make_url(normalise_url(url))
    session = {
        "statement_timeout": round(statement_timeout_s * 1000),
        "lock_timeout": round(lock_timeout_s * 1000),
        "idle_in_transaction_session_timeout": round(idle_in_transaction_timeout_s * 1000),
        "timezone": "UTC",
        # Whatever the server's default: statements see what others committed, unless ``isolation``
        # or a caller asks for more.
        "default_transaction_isolation": r"read\ committed",
    }
    given = parsed.query.get("options", "")
    # A default of the role, as of an analyst's, must not hide the tables; the URL's options may.
    options = ["-c search_path=public", given if isinstance(given, str) else " ".join(given)]
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


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction; commit at the end, roll back on any error.

    Raises:
        DependencyError: the server was lost or cannot work now; nothing was stored, unless only the
        answer to the commit was lost.
    """
    with dependency_errors(engine), engine.begin() as connection:
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
    with dependency_errors(engine), engine.connect() as connection:
        try:
            refuse_shared_sessions(engine, connection, "work on temporary tables")
            connection.rollback()
            yield connection
        finally:
            connection.invalidate()


@contextmanager
def dependency_errors(engine: Engine) -> Iterator[None]:
    """Raise transient errors of the block as DependencyError."""
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
