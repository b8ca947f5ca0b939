"""The book of imports: one row per import, alive exactly while its advisory lock is held.

An import that was killed leaves a row "running" without a lock; whoever imports next marks it
failed. Rejects are stored with the outcome, in the same transaction.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, insert, select, text, update

from gpt4rec_es.db.locks import lock_key
from gpt4rec_es.db.tables import imports

_LOCK = text("SELECT pg_advisory_lock(:key)")
_TRY_LOCK = text("SELECT pg_try_advisory_lock(:key)")
_UNLOCK = text("SELECT pg_advisory_unlock(:key)")
_KILLED = "its process ended before it was finished; nothing was changed"


@contextmanager
def own_session(engine: Engine) -> Iterator[Connection]:
    """Yield a connection whose session ends with the block, and with it its locks and temp tables.

    For long work: a server's idle time-out does not end it, and when this process is killed the
    server gives up a statement (and its locks) within seconds instead of finishing it.
    """
    connection = engine.connect()
    connection.detach()  # out of the pool, so that closing ends the session
    with connection:
        with connection.begin():
            connection.execute(text("SET idle_session_timeout = 0"))
            connection.execute(text("SET client_connection_check_interval = '2s'"))
        yield connection


def start(connection: Connection, kind: str, files: Sequence[str], actor: str) -> int:
    """Return the number of a new import that lives as long as this session does.

    Marks imports whose process was killed as failed.
    """
    with connection.begin():
        _fail_abandoned_imports(connection)
        row = insert(imports).values(kind=kind, files=list(files), state="running", actor=actor)
        import_no: int = connection.execute(row.returning(imports.c.import_no)).scalar_one()
        # Before the commit that shows the row: nobody may see it without its lock.
        connection.execute(_LOCK, {"key": _key(import_no)})
    return import_no


def finish(
    connection: Connection,
    import_no: int,
    *,
    records: int,
    rejected: int,
    inserted: int = 0,
    updated: int = 0,
    error: str | None = None,
) -> None:
    """Note in the caller's transaction how an import ended; with an ``error`` it failed."""
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
            error=error,
        )
    )


def _fail_abandoned_imports(connection: Connection) -> None:
    running = select(imports.c.import_no).where(imports.c.state == "running")
    for import_no in connection.execute(running).scalars().all():
        key = {"key": _key(import_no)}
        if not connection.execute(_TRY_LOCK, key).scalar_one():
            continue
        # Its end and its lock's release are not one step, so look again.
        connection.execute(
            update(imports)
            .where(imports.c.import_no == import_no, imports.c.state == "running")
            .values(state="failed", finished_at=text("clock_timestamp()"), error=_KILLED)
        )
        connection.execute(_UNLOCK, key)


def _key(import_no: int) -> int:
    return lock_key(f"import {import_no}")
