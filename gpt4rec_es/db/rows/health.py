"""What the database says of itself: its server, what a role may do, its clock, its disk."""

import datetime as dt
from typing import Literal, NamedTuple

from sqlalchemy import Connection, text


class ServerVersion(NamedTuple):
    """A server: its version in words and as a number, and how many connections are in use."""

    version: str
    major: int
    is_standby: bool
    used: int
    most: int


class WriterRights(NamedTuple):
    """What the role that is logged in may do to the tables. may_forge: change the audit."""

    name: str
    is_super: bool
    may_create: bool
    may_write: bool
    may_forge: bool
    may_temp: bool
    may_partition: bool


class OwnerRights(NamedTuple):
    """Whether the role that is logged in may change every table."""

    name: str
    may_change: bool


class AnalystRights(NamedTuple):
    """Whether the role that is logged in may read the views, and whether it may do more."""

    name: str
    may_read: bool
    may_more: bool


class StagePace(NamedTuple):
    """Shards of a stage that were done, by how many owners, in how many seconds.

    seconds: from the first that was done to the last, by the wall.
    """

    stage: str
    done: int
    owners: int
    seconds: float


def server(connection: Connection) -> ServerVersion:
    """Return what server this is."""
    row = connection.execute(
        text("""
        SELECT current_setting('server_version') AS version,
               current_setting('server_version_num')::int / 10000 AS major,
               pg_is_in_recovery() AS is_standby,
               (SELECT count(*) FROM pg_stat_activity) AS used,
               current_setting('max_connections')::int AS most
        """)
    ).one()
    return ServerVersion(*row)


def exists(connection: Connection, kind: Literal["regclass", "regnamespace"], name: str) -> bool:
    """Return whether there is a table or a schema of this name."""
    found = connection.execute(text(f"SELECT to_{kind}(:name) IS NOT NULL"), {"name": name})
    return bool(found.scalar_one())


def writer_rights(connection: Connection) -> WriterRights:
    """Return what this role may do; the tables must be there."""
    row = connection.execute(
        text("""
        SELECT current_user AS name,
               (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_super,
               has_schema_privilege('public', 'CREATE') AS may_create,
               has_table_privilege('public.runs', 'INSERT, UPDATE')
                   AND has_table_privilege('public.audit', 'INSERT') AS may_write,
               has_table_privilege('public.audit', 'DELETE') AS may_forge,
               has_database_privilege(current_database(), 'TEMP') AS may_temp,
               has_function_privilege('public.create_run_partitions(integer)', 'EXECUTE')
                   AS may_partition
        """)
    ).one()
    return WriterRights(*row)


def owner_rights(connection: Connection) -> OwnerRights:
    """Return whether this role owns the schema."""
    row = connection.execute(
        text("""
        SELECT current_user AS name, coalesce(bool_and(pg_has_role(relowner, 'USAGE')), false)
            AS may_change
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
        """)
    ).one()
    return OwnerRights(*row)


def analyst_rights(connection: Connection) -> AnalystRights:
    """Return what this role may do as an analyst; the schema analytics must be there."""
    row = connection.execute(
        text("""
        SELECT current_user AS name,
               has_schema_privilege('analytics', 'USAGE')
                   AND has_table_privilege('analytics.latest_recommendations', 'SELECT')
                   AS may_read,
               has_table_privilege('public.users', 'SELECT, INSERT, UPDATE, DELETE')
                   OR has_schema_privilege('public', 'CREATE') AS may_more
        """)
    ).one()
    return AnalystRights(*row)


def ping(connection: Connection) -> None:
    """Go to the server and back, so that the time to connect does not count afterwards."""
    connection.execute(text("SELECT 1"))


def clock(connection: Connection) -> dt.datetime:
    """Return the time by the database's clock."""
    found: dt.datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


def database_bytes(connection: Connection) -> int:
    """Return how large the database is."""
    found = connection.execute(text("SELECT pg_database_size(current_database())"))
    return int(found.scalar_one())


def data_folder(connection: Connection) -> str | None:
    """Return where a server on this machine keeps its data; None: elsewhere, or not to be known."""
    found: str | None = connection.execute(
        text(
            "SELECT CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') "
            "AND (inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8') "
            "THEN current_setting('data_directory') END"
        )
    ).scalar_one()
    return found


_PACES = text("""
SELECT stage, count(*) AS done, count(DISTINCT owner) AS owners,
       extract(epoch FROM max(finished_at) - min(finished_at))::float8 AS seconds
FROM shards
WHERE state = 'done' AND run_no = (SELECT max(run_no) FROM shards WHERE state = 'done')
GROUP BY stage HAVING count(*) > 2 ORDER BY stage
""")


def newest_paces(connection: Connection) -> list[StagePace]:
    """Return the pace of the newest run's stages of which more than two shards are done."""
    return [StagePace(*row) for row in connection.execute(_PACES)]
