"""Detection of connection poolers that share sessions between clients.

In PgBouncer's transaction mode each transaction may run in another session, so locks and temporary
tables of a session are lost, and settings of a connection are dropped.
"""

from sqlalchemy import Connection, Engine, text

from gpt4rec_es.errors import UsageError

_PID = text("SELECT pg_backend_pid()")
HINT = "Use the pooler's session mode, or the direct address of Postgres in DATABASE_URL."


def is_pooled(connection: Connection) -> bool:
    """Return whether a pooler answers in place of Postgres: it invents the process number."""
    driver = connection.connection.driver_connection
    announced: int | None = None if driver is None else driver.info.backend_pid
    return bool(announced != connection.execute(_PID).scalar_one())


def shares_sessions(engine: Engine) -> bool:
    """Return whether one session serves several connections, as two of them show."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as first:
        if not is_pooled(first):
            return False
        before = first.execute(_PID).scalar_one()
        with engine.connect() as second:  # its open transaction keeps a session
            other = second.execute(_PID).scalar_one()
            return bool(other == before or first.execute(_PID).scalar_one() != before)


def refuse_shared_sessions(engine: Engine, connection: Connection, work: str) -> None:
    """Check that ``connection`` has a session of its own for ``work``.

    Raises:
        UsageError: a pooler shares sessions between connections of ``engine``.
    """
    if is_pooled(connection) and shares_sessions(engine):
        raise UsageError(
            f"DATABASE_URL leads to a connection pooler that shares sessions; {work} needs one of "
            "its own.",
            HINT,
        )
