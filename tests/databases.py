"""Databases for tests: copies of a migrated database, with real roles.

The login roles of a test session are members of gpt4rec_owner, _writer and _analyst, so rights are
those of production, and the passwords of a developer's roles do not change.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import pytest
from sqlalchemy import Connection, Engine, text

from gpt4rec_es.db import migrate
from gpt4rec_es.db.engine import make_engine
from tests.reset import is_as_new, reset_rows, schema_of
from tests.servers import Servers

ROLES = ("owner", "writer", "analyst")
# Leftovers of killed test runs are dropped when they are older than any run takes.
_MAX_AGE_S = 2 * 3600


@dataclass(frozen=True)
class Database:
    """One database; engines open on first use and are closed with the fixture."""

    name: str
    owner_url: str
    writer_url: str
    analyst_url: str
    template: str | None = None

    @cached_property
    def engine(self) -> Engine:
        """The writer's engine, as used by the program."""
        return make_engine(self.writer_url, application_name="tests writer")

    @cached_property
    def owner_engine(self) -> Engine:
        return make_engine(self.owner_url, application_name="tests owner")

    @cached_property
    def analyst_engine(self) -> Engine:
        return make_engine(self.analyst_url, application_name="tests analyst")

    def close(self) -> None:
        for name in ("engine", "owner_engine", "analyst_engine"):
            if name in self.__dict__:
                self.__dict__[name].dispose()


@dataclass(frozen=True)
class Cluster:
    """Creates databases on the test server, with URLs for this session's login roles."""

    admin: Engine
    prefix: str
    password: str
    _free: dict[str, list[str]] = field(default_factory=dict)
    _schemas: dict[str, str] = field(default_factory=dict)

    def create(self, template: str | None = None) -> Database:
        """Return a database under a new name: a copy of ``template``, or an empty one."""
        name = f"{self.prefix}_{secrets.token_hex(4)}"
        with self.admin.connect() as connection:
            if free := self._free.get(template or ""):
                connection.execute(text(f'ALTER DATABASE "{free.pop()}" RENAME TO "{name}"'))
                connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
            else:
                source = f' TEMPLATE "{template}"' if template else ""
                connection.execute(text(f'CREATE DATABASE "{name}"{source}'))
                # No test loses the server's power, so commits need not wait for the disk.
                connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
                if template:
                    _copy_grants(connection, template, name)
        owner, writer, analyst = (self._url(name, role) for role in ROLES)
        # Objects created by a member of the owner role must belong to the owner, as in migrations.
        owner = f"{owner}?options=-c%20role%3Dgpt4rec_owner"
        return Database(name, owner, writer, analyst, template)

    def drop(self, database: Database) -> None:
        """Empty or drop a database, even with open connections.

        DROP DATABASE waits for a checkpoint of the whole server, which takes seconds under load, so
        a copy with the schema of its template is emptied and renamed for the next test.
        """
        database.close()
        with self.admin.connect() as connection:
            _end_sessions(connection, database.name)
            if database.template and self._is_reset(database.name, database.template):
                name = f'"{database.name}"'
                connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
                self._free.setdefault(database.template, []).append(database.name)
            else:
                _drop(connection, database.name)

    def close(self) -> None:
        """Drop the databases kept for reuse."""
        with self.admin.connect() as connection:
            for name in [name for names in self._free.values() for name in names]:
                _drop(connection, name)

    def _is_reset(self, name: str, template: str) -> bool:
        """Empty a database; return False if it is too large or its schema changed."""
        with self._admin_connection(name) as connection:
            if not is_as_new(connection, self._schema(template)):
                return False
            reset_rows(connection)
            return True

    def _schema(self, template: str) -> str:
        if template not in self._schemas:
            with self._admin_connection(template) as connection:
                self._schemas[template] = schema_of(connection)
        return self._schemas[template]

    @contextmanager
    def _admin_connection(self, name: str) -> Iterator[Connection]:
        url = self.admin.url.set(database=name).render_as_string(hide_password=False)
        engine = make_engine(url, application_name="tests admin", pool_size=1)
        with engine.begin() as connection:
            yield connection
        engine.dispose()

    def _url(self, name: str, role: str) -> str:
        url = self.admin.url.set(
            username=f"{self.prefix}_{role}", password=self.password, database=name
        )
        return url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def cluster(servers: Servers) -> Iterator[Cluster]:
    """Login roles of this session, and a factory of databases."""
    admin = make_engine(servers.admin_url, application_name="tests", isolation="AUTOCOMMIT")
    started = int(time.time())
    prefix = f"gpt4rec_test_{started}_{secrets.token_hex(3)}"
    cluster = Cluster(admin, prefix, secrets.token_hex(16))
    with admin.connect() as connection:
        _remove_leftovers(connection, started)
        for role in ROLES:
            _ensure_role(connection, f"gpt4rec_{role}")
            connection.execute(
                text(
                    f"CREATE ROLE {prefix}_{role} LOGIN PASSWORD '{cluster.password}' "
                    f"IN ROLE gpt4rec_{role}"
                )
            )
        # As docs/analytics.md tells administrators; members do not inherit settings.
        connection.execute(text(f"ALTER ROLE {prefix}_analyst SET search_path = analytics"))
    yield cluster
    cluster.close()
    with admin.connect() as connection:
        for role in ROLES:
            connection.execute(text(f"DROP ROLE {prefix}_{role}"))
    admin.dispose()


@pytest.fixture(scope="session")
def template_database(cluster: Cluster) -> Iterator[str]:
    """Return the name of a migrated database without rows; no connection to it may stay open."""
    made = cluster.create()
    # Migrate as an administrator, because only one may grant rights on the database.
    url = cluster.admin.url.set(database=made.name).render_as_string(hide_password=False)
    migrate.upgrade(url)
    yield made.name
    cluster.drop(made)


@pytest.fixture
def empty_database(cluster: Cluster) -> Iterator[Database]:
    """Return a database without schema and without grants."""
    made = cluster.create()
    yield made
    cluster.drop(made)


@pytest.fixture
def database(cluster: Cluster, template_database: str) -> Iterator[Database]:
    """Return a fresh migrated database for this test alone."""
    made = cluster.create(template_database)
    yield made
    cluster.drop(made)


@pytest.fixture
def second_database(cluster: Cluster, template_database: str) -> Iterator[Database]:
    """Return a second migrated database, to compare two shops of equal content."""
    made = cluster.create(template_database)
    yield made
    cluster.drop(made)


@pytest.fixture(scope="module")
def module_database(cluster: Cluster, template_database: str) -> Iterator[Database]:
    """Return a migrated database shared by all tests of a module."""
    made = cluster.create(template_database)
    yield made
    cluster.drop(made)


def wait_for_lock(engine: Engine) -> None:
    """Wait until a session of this database waits for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with engine.connect() as connection:
        for _ in range(2000):
            if connection.execute(waiting).scalar_one():
                return
            connection.execute(text("SELECT pg_sleep(0.005)"))
            connection.rollback()  # so that the next query sees current activity
    pytest.fail("no session waits for a lock")


def _copy_grants(connection: Connection, template: str, name: str) -> None:
    """Grant the privileges of its template on ``name``: CREATE DATABASE does not copy them."""
    connection.execute(text(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC'))
    granted = connection.execute(
        text(
            "SELECT privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' "
            "ELSE quote_ident(grantee::regrole::text) END "
            "FROM pg_database, aclexplode(datacl) WHERE datname = :template"
        ),
        {"template": template},
    ).all()
    for privilege, grantee in granted:
        connection.execute(text(f'GRANT {privilege} ON DATABASE "{name}" TO {grantee}'))


def _ensure_role(connection: Connection, role: str) -> None:
    connection.execute(
        text(
            f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    )


def _end_sessions(connection: Connection, name: str) -> None:
    """End the sessions of a database and wait until they are gone."""
    ending = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
    for _ in range(2000):
        if not connection.execute(ending, {"name": name}).all():
            return
        time.sleep(0.002)  # pg_terminate_backend itself would wait in steps of 100 ms


def _drop(connection: Connection, name: str) -> None:
    connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


def _remove_leftovers(connection: Connection, now: int) -> None:
    """Drop databases and login roles of old killed test runs."""
    # One process at a time: two cannot drop the same role.
    connection.execute(text("SELECT pg_advisory_lock(hashtext('leftovers of tests'))"))
    for kind, query in (
        ("DATABASE", "SELECT datname FROM pg_database WHERE datname ~ '^gpt4rec_test_[0-9]+_'"),
        ("ROLE", "SELECT rolname FROM pg_roles WHERE rolname ~ '^gpt4rec_test_[0-9]+_'"),
    ):
        for name in connection.execute(text(query)).scalars().all():
            if now - int(name.split("_")[2]) > _MAX_AGE_S:
                force = " WITH (FORCE)" if kind == "DATABASE" else ""
                connection.execute(text(f'DROP {kind} IF EXISTS "{name}"{force}'))
    connection.execute(text("SELECT pg_advisory_unlock_all()"))
