"""Checks of Postgres: server, version, schema, roles, clock and disk."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from gpt4rec_es.db import migrate
from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.pooling import HINT, shares_sessions
from gpt4rec_es.db.rows import health
from gpt4rec_es.db.rows.health import UTF8_HINT
from gpt4rec_es.doctor.findings import Finding, error, ok, warning
from gpt4rec_es.elastic.disk import readable

_OLDEST = 16
_LITTLE_SHARE = 0.1
_MANY_CONNECTIONS = 0.8
_UPGRADE = "Run `gpt4rec db upgrade` as the owner."


def server(engine: Engine) -> Iterator[Finding]:
    """Check that the server answers, its version, and the number of free connections."""
    with transaction(engine) as connection:
        found = health.server(connection)
    if shares_sessions(engine):
        yield error("A connection pooler shares sessions between connections.", HINT)
    if found.encoding != "UTF8":
        yield error(f"The database has encoding {found.encoding}.", UTF8_HINT)
    if found.major < _OLDEST:
        yield warning(
            f"Postgres is {found.version}; tried was {_OLDEST} and newer.", "Upgrade the server."
        )
    if found.is_standby:
        yield error(
            "This is a read-only standby.", "Point DATABASE_URL to the primary of the cluster."
        )
    if found.used > found.most * _MANY_CONNECTIONS:
        yield warning(
            f"{found.used} of {found.most} connections are in use.",
            "Raise max_connections, or end unneeded sessions.",
        )
    yield ok(f"Postgres {found.version} answers; {found.used} of {found.most} connections in use")


def schema(url: str) -> Iterator[Finding]:
    """Check that the schema is the revision of this code."""
    version = migrate.current(url)
    if version.is_current:
        yield ok(f"revision {version.revision}")
    else:
        yield error(
            f"Not as this code needs it: {version.difference}.",
            "Run `gpt4rec db upgrade` as the owner, or install the code that fits.",
        )


def writer(engine: Engine) -> Iterator[Finding]:
    """Check that the program's role has the privileges it needs, and few others."""
    with transaction(engine) as connection:
        if not health.exists(connection, "regclass", "public.runs"):
            yield error("There are no tables yet.", _UPGRADE)
            return
        role = health.writer_rights(connection)
    missing = [
        name
        for name, may in (
            ("write rows", role.may_write),
            ("make temporary tables", role.may_temp),
            ("make partitions of runs", role.may_partition),
        )
        if not may
    ]
    if missing:
        yield error(
            f"The role {role.name} of DATABASE_URL may not {', '.join(missing)}.",
            f'GRANT gpt4rec_writer TO "{role.name}" as the owner.',
        )
    if role.is_super or role.may_create or role.may_change_audit:
        yield warning(
            f"The role {role.name} of DATABASE_URL may change the schema or the audit.",
            "Let the program log in as a member of gpt4rec_writer alone.",
        )
    elif not missing:
        yield ok(f"{role.name} may write, and change neither schema nor audit")


def owner(engine: Engine) -> Iterator[Finding]:
    """Check that migrations can run and old partitions can be dropped without blocking readers."""
    with transaction(engine) as connection:
        if not health.exists(connection, "regclass", "public.runs"):
            yield ok("there are no tables yet to own")
            return
        role = health.owner_rights(connection)
    if role.may_change:
        yield ok(f"{role.name} owns the schema")
    else:
        yield warning(
            f"The role {role.name} does not own the schema: `gpt4rec db upgrade` will not work, "
            "and `gpt4rec runs prune` makes readers wait for a second.",
            "Set GPT4REC_OWNER_DATABASE_URL where these two are run.",
        )


def analyst(engine: Callable[[], Engine] | None) -> Iterator[Finding]:
    """Check that analysts can read the views, and nothing else."""
    if engine is None:
        yield ok("GPT4REC_ANALYST_DATABASE_URL is not set: not looked at")
        return
    with transaction(engine()) as connection:
        if not health.exists(connection, "regnamespace", "analytics"):
            yield error("There is no schema analytics yet.", _UPGRADE)
            return
        role = health.analyst_rights(connection)
    if not role.may_read:
        yield error(
            f"The role {role.name} may not read the views of schema analytics.",
            f'GRANT gpt4rec_analyst TO "{role.name}" as the owner.',
        )
    elif role.may_more:
        yield warning(
            f"The role {role.name} of analysts may do more than read views.",
            "Let analysts log in as members of gpt4rec_analyst alone.",
        )
    elif role.may_fill:
        yield warning(
            f"The role {role.name} may fill the disk with temporary tables or large objects.",
            "As an administrator: REVOKE TEMPORARY ON DATABASE ... FROM PUBLIC, and REVOKE EXECUTE "
            "ON FUNCTION lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) FROM PUBLIC.",
        )
    elif not role.finds_views:
        yield warning(
            f"The role {role.name} of analysts does not find the views without their schema.",
            f'As an administrator: ALTER ROLE "{role.name}" SET search_path = analytics.',
        )
    else:
        yield ok(f"{role.name} reads the views and nothing else")


def clock(
    engine: Engine, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Iterator[Finding]:
    """Compare this machine's clock with the database's.

    Leases use the database's clock only; the date of a night comes from this machine's clock.
    """
    with transaction(engine) as connection:
        health.ping(connection)
        before = now()
        there = health.clock(connection)
        after = now()
    skew = there - (before + (after - before) / 2)
    seconds = skew / timedelta(seconds=1)
    measured = (
        f"the database's clock is {abs(seconds):.1f} s {'ahead' if seconds > 0 else 'behind'}"
    )
    way_out = "Synchronise both by NTP: the date of a night goes by this machine's clock."
    if abs(seconds) > 60:
        yield error(measured, way_out)
    elif abs(seconds) > 5:
        yield warning(measured, way_out)
    else:
        yield ok(measured)


def disk(engine: Engine) -> Iterator[Finding]:
    """Check the free space on the disk of Postgres' data directory, if it is on this machine."""
    with transaction(engine) as connection:
        size, place = health.database_bytes(connection), health.data_folder(connection)
    if place is None or not Path(place).is_dir():
        yield ok(f"the database holds {readable(size)}; its disk cannot be seen from here")
        return
    usage = shutil.disk_usage(place)
    measured = f"the database holds {readable(size)}; {readable(usage.free)} of its disk are free"
    if usage.free < usage.total * _LITTLE_SHARE:
        yield warning(measured, "Run `gpt4rec runs prune`, or add disk space.")
    else:
        yield ok(measured)
