"""The stack's database and its three roles, created by the superuser."""

from contextlib import closing

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

from gpt4rec_es.resources import resource_path
from gpt4rec_es.stack.state import DATABASE, State


def answers(state: State) -> bool:
    """Return whether the server accepts the superuser's password now."""
    try:
        connect(state).close()
    except psycopg2.Error:
        return False
    return True


def connect(state: State, database: str = "postgres") -> Connection:
    """Return a superuser's connection to the running server, in autocommit."""
    connection = psycopg2.connect(
        host="127.0.0.1",
        port=state.ports["postgres"],
        user="postgres",
        password=state.passwords["postgres"],
        dbname=database,
        connect_timeout=5,
    )
    connection.autocommit = True
    return connection


def provision(state: State) -> None:
    """Create or correct database and roles; idempotent."""
    with closing(connect(state)) as admin:
        _provision(admin, state)
    with closing(connect(state, DATABASE)) as admin, admin.cursor() as cursor:
        # Migrations run as the owner, that may do neither: refuse large objects, and give analysts
        # their search_path and limits.
        for name in ("server_functions.sql", "analyst.sql"):
            script = resource_path("migrations", f"schema/{name}")
            cursor.execute(script.read_text(encoding="utf-8"))


def _provision(admin: Connection, state: State) -> None:
    roles = ("gpt4rec_owner", "gpt4rec_writer", "gpt4rec_analyst")
    database = sql.Identifier(DATABASE)
    with admin.cursor() as cursor:
        for role in roles:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
            verb = "ALTER" if cursor.fetchone() else "CREATE"
            cursor.execute(
                sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                    sql.SQL(verb), sql.Identifier(role), sql.Literal(state.passwords[role])
                )
            )
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if not cursor.fetchone():
            cursor.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(database, sql.Identifier(roles[0]))
            )
        # The owner has all privileges; analysts may connect but not create temporary tables.
        for statement in (
            "REVOKE ALL ON DATABASE {} FROM PUBLIC",
            "GRANT CONNECT, TEMPORARY ON DATABASE {} TO gpt4rec_writer",
            "GRANT CONNECT ON DATABASE {} TO gpt4rec_analyst",
        ):
            cursor.execute(sql.SQL(statement).format(database))
