"""Postgres: is it there, of the right version and schema, with the right roles, clock and disk."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from gpt4rec_es.db import migrate
from gpt4rec_es.db.engine import transaction
from gpt4rec_es.doctor.findings import Finding, error, ok, warning
from gpt4rec_es.elastic.disk import readable

_OLDEST = 16
_LITTLE_SHARE = 0.1
_MANY_CONNECTIONS = 0.8
_UPGRADE = "Run `gpt4rec db upgrade` as the owner."


def server(engine: Engine) -> Iterator[Finding]:
    """Say whether the server answers, its version, and whether connections are running out."""
    with transaction(engine) as connection:
        row = connection.execute(
            text("""
            SELECT current_setting('server_version') AS version,
                   current_setting('server_version_num')::int / 10000 AS major,
                   pg_is_in_recovery() AS is_standby,
                   (SELECT count(*) FROM pg_stat_activity) AS used,
                   current_setting('max_connections')::int AS most
            """)
        ).one()
    if row.major < _OLDEST:
        yield warning(
            f"Postgres is {row.version}; tried was {_OLDEST} and newer.", "Upgrade the server."
        )
    if row.is_standby:
        yield error(
            "This is a read-only standby.", "Point DATABASE_URL to the primary of the cluster."
        )
    if row.used > row.most * _MANY_CONNECTIONS:
        yield warning(
            f"{row.used} of {row.most} connections are in use.",
            "Raise max_connections, or end sessions that nobody needs.",
        )
    yield ok(f"Postgres {row.version} answers; {row.used} of {row.most} connections in use")


def schema(url: str) -> Iterator[Finding]:
    """Say whether the schema is that of this code."""
    version = migrate.current(url)
    if version.is_current:
        yield ok(f"revision {version.revision}")
    else:
        yield error(
            f"Not as this code needs it: {version.difference}.",
            "Run `gpt4rec db upgrade` as the owner, or install the code that fits.",
        )


def writer(engine: Engine) -> Iterator[Finding]:
    """Say whether the program's role may do what it must, and not much more."""
    with transaction(engine) as connection:
        if not _is_there(connection, "regclass", "public.runs"):
            yield error("There are no tables yet.", _UPGRADE)
            return
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
    missing = [
        name
        for name, may in (
            ("write rows", row.may_write),
            ("make temporary tables", row.may_temp),
            ("make partitions of runs", row.may_partition),
        )
        if not may
    ]
    if missing:
        yield error(
            f"The role {row.name} of DATABASE_URL may not {', '.join(missing)}.",
            f'GRANT gpt4rec_writer TO "{row.name}" as the owner.',
        )
    if row.is_super or row.may_create or row.may_forge:
        yield warning(
            f"The role {row.name} of DATABASE_URL may change the schema or the audit.",
            "Let the program log in as a member of gpt4rec_writer alone.",
        )
    elif not missing:
        yield ok(f"{row.name} may write, and change neither schema nor audit")


def owner(engine: Engine) -> Iterator[Finding]:
    """Say whether migrations can run, and old partitions can go without making readers wait."""
    with transaction(engine) as connection:
        if not _is_there(connection, "regclass", "public.runs"):
            yield ok("there are no tables yet to own")
            return
        row = connection.execute(
            text("""
            SELECT current_user AS name, coalesce(bool_and(pg_has_role(relowner, 'USAGE')), false)
                AS may_change
            FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            """)
        ).one()
    if row.may_change:
        yield ok(f"{row.name} owns the schema")
    else:
        yield warning(
            f"The role {row.name} does not own the schema: `gpt4rec db upgrade` will not work, and "
            "`gpt4rec runs prune` makes readers wait for a second.",
            "Set GPT4REC_OWNER_DATABASE_URL where these two are run.",
        )


def analyst(engine: Callable[[], Engine] | None) -> Iterator[Finding]:
    """Say whether analysts can read the views, and nothing else."""
    if engine is None:
        yield ok("GPT4REC_ANALYST_DATABASE_URL is not set: not looked at")
        return
    with transaction(engine()) as connection:
        if not _is_there(connection, "regnamespace", "analytics"):
            yield error("There is no schema analytics yet.", _UPGRADE)
            return
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
    if not row.may_read:
        yield error(
            f"The role {row.name} may not read the views of schema analytics.",
            f'GRANT gpt4rec_analyst TO "{row.name}" as the owner.',
        )
    elif row.may_more:
        yield warning(
            f"The role {row.name} of analysts may do more than read views.",
            "Let analysts log in as members of gpt4rec_analyst alone.",
        )
    else:
        yield ok(f"{row.name} reads the views and nothing else")


def _is_there(connection: Connection, kind: str, name: str) -> bool:
    found = connection.execute(text(f"SELECT to_{kind}(:name) IS NOT NULL"), {"name": name})
    return bool(found.scalar_one())


def clock(
    engine: Engine, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Iterator[Finding]:
    """Say how far this machine's clock is from the database's.

    Leases go by the database's alone; the date of a night by this machine's.
    """
    with transaction(engine) as connection:
        connection.execute(text("SELECT 1"))  # the time to connect must not count
        before = now()
        there: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        after = now()
    skew = there - (before + (after - before) / 2)
    seconds = skew / timedelta(seconds=1)
    said = f"the database's clock is {abs(seconds):.1f} s {'ahead' if seconds > 0 else 'behind'}"
    way_out = "Synchronise both by NTP: the date of a night goes by this machine's clock."
    if abs(seconds) > 60:
        yield error(said, way_out)
    elif abs(seconds) > 5:
        yield warning(said, way_out)
    else:
        yield ok(said)


def disk(engine: Engine) -> Iterator[Finding]:
    """Say how much disk Postgres' data has left, if it can be seen from here."""
    with transaction(engine) as connection:
        size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
        place = connection.execute(
            text(
                "SELECT CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') "
                "AND (inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8') "
                "THEN current_setting('data_directory') END"
            )
        ).scalar_one()
    if place is None or not Path(place).is_dir():
        yield ok(f"the database holds {readable(size)}; its disk cannot be seen from here")
        return
    usage = shutil.disk_usage(place)
    said = f"the database holds {readable(size)}; {readable(usage.free)} of its disk are free"
    if usage.free < usage.total * _LITTLE_SHARE:
        yield warning(said, "Run `gpt4rec runs prune`, or add disk space.")
    else:
        yield ok(said)
