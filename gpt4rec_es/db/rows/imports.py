"""Reads and writes of imports: one row per import, which holds a lock while it runs.

A killed import leaves a row in state "running" without a lock; the next import marks it failed.
Rejects are stored in the transaction that stores the result.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, insert, select, text, update

from gpt4rec_es.db import locks
from gpt4rec_es.db.pooling import refuse_shared_sessions
from gpt4rec_es.db.tables import imports

_KILLED = "the process ended before the import was finished; nothing was changed"


@contextmanager
def own_session(engine: Engine) -> Iterator[Connection]:
    """Yield a connection whose session, locks and temporary tables end with the block.

    For long work: the idle session time-out is disabled, and when this process is killed, the
    server cancels the statement (and releases its locks) within seconds.
    """
    connection = engine.connect()
    connection.detach()  # detached from the pool, so that closing ends the session
    with connection:
        with connection.begin():
            refuse_shared_sessions(engine, connection, "an import")
            connection.execute(text("SET idle_session_timeout = 0"))
            connection.execute(text("SET client_connection_check_interval = '2s'"))
        yield connection


def start(connection: Connection, kind: str, files: Sequence[str], actor: str) -> int:
    """Insert an import that holds its lock until this session ends; return its number.

    Marks imports whose process was killed as failed.
    """
    with connection.begin():
        _fail_abandoned_imports(connection)
        row = insert(imports).values(kind=kind, files=list(files), state="running", actor=actor)
        import_no: int = connection.execute(row.returning(imports.c.import_no)).scalar_one()
        # Before the commit that makes the row visible: other sessions never see it without its
        # lock.
        locks.take(connection, _name(import_no))
    return import_no


def finish(
    connection: Connection,
    import_no: int,
    *,
    records: int,
    rejected: int,
    inserted: int = 0,
    updated: int = 0,
    notes: Sequence[str] = (),
    error: str | None = None,
) -> None:
    """Store an import's result in the caller's transaction; with an ``error`` it failed."""
    connection.execute(
        update(imports)
        .where(imports.c.import_no == import_no)
        .values(
            state="failed" if error else "done",
            finished_at=text("clock_timestamp()"),
            records=records,
            rejected=rejected,
            inserted=inserted,
            updated=updated,
            notes=list(notes),
            error=error,
        )
    )


def _fail_abandoned_imports(connection: Connection) -> None:
    running = select(imports.c.import_no).where(imports.c.state == "running")
    locks.delete_dead(connection)
    for import_no in connection.execute(running).scalars().all():
        if locks.is_held(connection, _name(import_no)):
            continue
        # An import commits its end before it releases its lock, so read the state again.
        connection.execute(
            update(imports)
            .where(imports.c.import_no == import_no, imports.c.state == "running")
            .values(state="failed", finished_at=text("clock_timestamp()"), error=_KILLED)
        )


def _name(import_no: int) -> str:
    return f"import {import_no}"
