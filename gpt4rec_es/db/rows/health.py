"""Reads for the doctor: server version, privileges of roles, clock, disk, pace of stages."""

import datetime as dt
from typing import Literal, NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.errors import UsageError


class ServerVersion(NamedTuple):
    """Server version as text and number, and numbers of connections."""

    version: str
    major: int
    is_standby: bool
    used: int
    most: int
    encoding: str


class WriterRights(NamedTuple):
    """Privileges of the current role. may_change_audit: may update or delete audit rows."""

    name: str
    is_super: bool
    may_create: bool
    may_write: bool
    may_change_audit: bool
    may_temp: bool
    may_partition: bool


class OwnerRights(NamedTuple):
    """Privileges of the current role as owner: whether it may change every table."""

    name: str
    may_change: bool


class AnalystRights(NamedTuple):
    """Privileges of the current role as analyst: whether it may read the views, or do more.

    may_fill: may store temporary tables or large objects. finds_views: its search_path
    has the schema of the views.
    """

    name: str
    may_read: bool
    may_more: bool
    may_fill: bool
    finds_views: bool


class StagePace(NamedTuple):
    """Numbers of done shards of a stage and of their owners, with the duration.

    seconds: wall-clock time from the first done shard to the last.
    """

    stage: str
    done: int
    owners: int
    seconds: float


UTF8_HINT = "Create it anew: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0."


def require_utf8(connection: Connection) -> None:
    """Check that the database can hold every text.

    Raises:
        UsageError: its encoding is another one.
    """
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise UsageError(f"The database has encoding {encoding}; UTF8 is needed.", UTF8_HINT)


def server(connection: Connection) -> ServerVersion:
    """Return the server's version and connections."""
    row = connection.execute(
        text("""
        SELECT current_setting('server_version') AS version,
               current_setting('server_version_num')::int / 10000 AS major,
               pg_is_in_recovery() AS is_standby,
               (SELECT count(*) FROM pg_stat_activity) AS used,
               current_setting('max_connections')::int AS most,
               current_setting('server_encoding') AS encoding
        """)
    ).one()
    return ServerVersion(*row)


def exists(connection: Connection, kind: Literal["regclass", "regnamespace"], name: str) -> bool:
    """Return whether a table or schema of this name exists."""
    found = connection.execute(text(f"SELECT to_{kind}(:name) IS NOT NULL"), {"name": name})
    return bool(found.scalar_one())


def writer_rights(connection: Connection) -> WriterRights:
    """Return the role's privileges as writer; the tables must exist."""
    row = connection.execute(
        text("""
        SELECT current_user AS name,
               (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_super,
               has_schema_privilege('public', 'CREATE') AS may_create,
               has_table_privilege('public.runs', 'INSERT, UPDATE')
                   AND has_table_privilege('public.audit', 'INSERT') AS may_write,
               has_table_privilege('public.audit', 'DELETE') AS may_change_audit,
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
    """Return the role's privileges as analyst; the schema analytics must exist."""
    row = connection.execute(
        text("""
        SELECT current_user AS name,
               has_schema_privilege('analytics', 'USAGE')
                   AND has_table_privilege('analytics.latest_recommendations', 'SELECT')
                   AS may_read,
               has_table_privilege('public.users', 'SELECT, INSERT, UPDATE, DELETE')
                   OR has_schema_privilege('public', 'CREATE') AS may_more,
               has_database_privilege(current_database(), 'TEMP')
                   OR has_function_privilege('pg_catalog.lo_create(oid)', 'EXECUTE') AS may_fill,
               coalesce((
                   SELECT setting LIKE '%analytics%'
                   FROM pg_db_role_setting CROSS JOIN unnest(setconfig) AS setting
                   WHERE setrole IN (0, current_user::regrole) AND setdatabase IN (
                       0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                   AND setting LIKE 'search_path=%'
                   ORDER BY setrole <> 0 DESC, setdatabase <> 0 DESC LIMIT 1
               ), false) AS finds_views
        """)
    ).one()
    return AnalystRights(*row)


def ping(connection: Connection) -> None:
    """Do one round trip to the server, so that later timings exclude connecting."""
    connection.execute(text("SELECT 1"))


def clock(connection: Connection) -> dt.datetime:
    """Return the current time by the database's clock."""
    found: dt.datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


def database_bytes(connection: Connection) -> int:
    """Return the size of the database in bytes."""
    found = connection.execute(text("SELECT pg_database_size(current_database())"))
    return int(found.scalar_one())


def data_folder(connection: Connection) -> str | None:
    """Return the data directory of a server on this machine; None: remote or unknown."""
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
    """Return the pace of those stages of the newest run that have more than two done shards."""
    return [StagePace(*row) for row in connection.execute(_PACES)]
