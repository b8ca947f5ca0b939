"""Alembic's environment: connects as the owner, one upgrade at a time, with time-outs.

Run by ``alembic`` in a checkout and by ``gpt4rec db`` (gpt4rec_es/db/migrate.py) anywhere. Readers
and writers wait for the locks of a migration, so it has a short lock time-out. An upgrade to the
newest revision also creates this code's views of schema analytics, in the transaction of that
revision.
"""

import logging
import re
from collections.abc import Collection, Mapping

from alembic import command, context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import Connection, Engine, text

from gpt4rec_es.db import analytics
from gpt4rec_es.db.engine import make_engine
from gpt4rec_es.db.locks import lock_key
from gpt4rec_es.db.pooling import refuse_shared_sessions
from gpt4rec_es.db.tables import metadata
from gpt4rec_es.runtime import Runtime

# One partition per run, made by create_run_partitions: data, not schema.
_PARTITION = re.compile(r"(run_users|run_user_vectors|user_outcomes|recommendations)_\d+")
_WAIT_FOR_OTHER_UPGRADE_S = 120
# Tables belong to gpt4rec_owner, whichever member of it migrates. Before the first revision the
# role may not exist, or may lack the privilege to create tables.
_BECOME_OWNER = (
    "SELECT set_config('role', rolname, false) FROM pg_roles WHERE rolname = 'gpt4rec_owner' "
    "AND pg_has_role(current_user, oid, 'MEMBER') "
    "AND has_schema_privilege(oid, 'public', 'CREATE')"
)
_MAY_START = (
    "SELECT has_schema_privilege('public', 'CREATE') "
    "OR to_regclass('public.alembic_version') IS NOT NULL"
)


def _url() -> str:
    """Return the URL given by ``-x url=``, by the caller, or by the environment."""
    given = context.get_x_argument(as_dictionary=True).get("url")
    given = given or context.config.attributes.get("url")
    return str(given or Runtime.from_environment().settings.require("owner_database_url"))


def _engine() -> Engine:
    return make_engine(
        _url(),
        application_name="gpt4rec db upgrade",
        pool_size=1,
        statement_timeout_s=900,
        lock_timeout_s=5,
    )


def _include_name(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name is not None and _PARTITION.fullmatch(name))


def _is_upgrade() -> bool:
    """Return whether the command may change views; ``current`` and ``check`` may not."""
    options = context.config.cmd_opts
    if options is None:
        return bool(context.config.attributes.get("is_upgrade"))
    return options.cmd[0] is command.upgrade


def _after_revision(
    ctx: MigrationContext,
    step: MigrationInfo,
    heads: Collection[str],
    run_args: Mapping[str, object],  # noqa: ARG001 -- Alembic passes it by name
) -> None:
    if step.is_upgrade and not step.is_stamp and _is_newest(heads):
        _refresh_views(ctx)


def _is_newest(heads: Collection[str]) -> bool:
    return set(heads) == set(context.script.get_heads())


def _refresh_views(ctx: MigrationContext) -> None:
    """Create the views again if they differ from the code's; printed SQL always creates them."""
    connection = None if ctx.as_sql else ctx.connection
    if connection is None or not analytics.are_current(connection):
        analytics.refresh(ctx.execute)


def _run(connection: Connection | None) -> None:
    """Run the command; an upgrade from the newest revision may still have to create views."""
    with context.begin_transaction():
        context.run_migrations()
    ctx = context.get_context()
    # Printed SQL knows only its first revision; if another one is current, a step was printed.
    if not (_is_upgrade() and _is_newest(ctx.get_current_heads())):
        return
    if connection:
        _refresh_views(ctx)
        connection.commit()
    else:
        ctx.impl.emit_begin()
        _refresh_views(ctx)
        ctx.impl.emit_commit()


def _configure(connection: Connection | None) -> None:
    context.configure(
        connection=connection,
        dialect_name="postgresql",
        target_metadata=metadata,
        include_name=_include_name,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
        on_version_apply=_after_revision,
        literal_binds=connection is None,
        dialect_opts={"paramstyle": "named"},
    )


def _migrate(connection: Connection) -> None:
    refuse_shared_sessions(_own, connection, "an upgrade")
    wait = text("SELECT set_config('lock_timeout', :ms, false)")
    connection.execute(wait, {"ms": f"{_WAIT_FOR_OTHER_UPGRADE_S}s"})
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": lock_key("migrations")})
    connection.execute(wait, {"ms": "5s"})
    connection.execute(text(_BECOME_OWNER))
    if not connection.execute(text(_MAY_START)).scalar_one():
        # Creating Alembic's own table would fail first, without a hint; the first revision raises
        # an error with the missing privileges.
        first = context.script.get_revision("0101")
        connection.execute(text(first.module.PREPARE))
    # End the transaction that these began: each migration has its own.
    connection.commit()
    _configure(connection)
    _run(connection)


if "url" not in context.config.attributes:
    # Run as ``alembic``: log on stderr which migrations are run.
    logging.basicConfig(format="%(message)s")
    logging.getLogger("alembic").setLevel(logging.INFO)
if context.is_offline_mode():
    _configure(None)
    context.execute(_BECOME_OWNER)
    _run(None)
else:
    _own = _engine()
    try:
        with _own.connect() as _connection:
            _migrate(_connection)
    finally:
        _own.dispose()
