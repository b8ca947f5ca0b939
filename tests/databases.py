"""Databases for tests: each a copy of one that was really migrated, with real roles.

A test gets fresh login roles that are members of gpt4rec_owner, _writer and _analyst, so rights
are those of production, and the passwords of roles that a developer uses stay as they are.
"""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pytest
from sqlalchemy import Connection, Engine, make_url, text

from gpt4rec_es.db import migrate
from gpt4rec_es.db.engine import make_engine
from tests.servers import Servers

ROLES = ("owner", "writer", "analyst")
# Leftovers of killed test runs are removed once they are older than any run.
_MAX_AGE_S = 6 * 3600


@dataclass(frozen=True)
class Database:
    """One database; engines open on first use and are closed with the fixture."""

    name: str
    owner_url: str
    writer_url: str
    analyst_url: str

    @cached_property
    def engine(self) -> Engine:
        """As the program has it: the writer's."""
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
    """Makes databases on the test server, each with URLs for this session's login roles."""

    admin: Engine
    prefix: str
    password: str

    def create(self, template: str | None = None) -> Database:
        name = f"{self.prefix}_{secrets.token_hex(4)}"
        with self.admin.connect() as connection:
            source = f' TEMPLATE "{template}"' if template else ""
            connection.execute(text(f'CREATE DATABASE "{name}"{source}'))
            if template:
                _copy_grants(connection, template, name)
        owner, writer, analyst = (self._url(name, role) for role in ROLES)
        # What the owner's member makes must belong to the owner, as with a migration.
        return Database(name, f"{owner}?options=-c%20role%3Dgpt4rec_owner", writer, analyst)

    def drop(self, database: Database) -> None:
        database.close()
        with self.admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{database.name}" WITH (FORCE)'))

    def _url(self, name: str, role: str) -> str:
        url = self.admin.url.set(
            username=f"{self.prefix}_{role}", password=self.password, database=name
        )
        return url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def cluster(servers: Servers) -> Iterator[Cluster]:
    """Login roles of this session, and a way to make databases."""
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
    yield cluster
    with admin.connect() as connection:
        for role in ROLES:
            connection.execute(text(f"DROP ROLE {prefix}_{role}"))
    admin.dispose()


@pytest.fixture(scope="session")
def template_database(cluster: Cluster) -> Iterator[str]:
    """Return the name of a migrated database without rows; nobody may stay connected to it."""
    made = cluster.create()
    # As an administrator first migrates: roles may get rights on this database only from one.
    url = cluster.admin.url.set(database=made.name).render_as_string(hide_password=False)
    migrate.upgrade(url)
    yield made.name
    cluster.drop(made)


@pytest.fixture
def empty_database(cluster: Cluster) -> Iterator[Database]:
    """Return a database without any schema, not even roles' rights."""
    made = cluster.create()
    yield made
    cluster.drop(made)


@pytest.fixture
def database(cluster: Cluster, template_database: str) -> Iterator[Database]:
    """Return a fresh migrated database for this test alone."""
    made = cluster.create(template_database)
    yield made
    cluster.drop(made)


@pytest.fixture(scope="module")
def module_database(cluster: Cluster, template_database: str) -> Iterator[Database]:
    """Return a fresh migrated database for all tests of a module, which must not disturb others."""
    made = cluster.create(template_database)
    yield made
    cluster.drop(made)


def _copy_grants(connection: Connection, template: str, name: str) -> None:
    """Give ``name`` the privileges of its template: CREATE DATABASE copies all but those."""
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


def _remove_leftovers(connection: Connection, now: int) -> None:
    """Drop databases and login roles of test runs that were killed long ago."""
    for kind, query in (
        ("DATABASE", "SELECT datname FROM pg_database WHERE datname ~ '^gpt4rec_test_[0-9]+_'"),
        ("ROLE", "SELECT rolname FROM pg_roles WHERE rolname ~ '^gpt4rec_test_[0-9]+_'"),
    ):
        for name in connection.execute(text(query)).scalars().all():
            if now - int(name.split("_")[2]) > _MAX_AGE_S:
                force = " WITH (FORCE)" if kind == "DATABASE" else ""
                connection.execute(text(f'DROP {kind} IF EXISTS "{name}"{force}'))


def admin_url(servers: Servers, database: Database) -> str:
    """Return the administrator's URL of a test's database."""
    return make_url(servers.admin_url).set(database=database.name).render_as_string(False)
