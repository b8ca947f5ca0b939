"""How to open psql on the stack's database."""

import shutil
from pathlib import Path

from gpt4rec_es.errors import DependencyError, UsageError
from gpt4rec_es.stack.programs import find_postgres
from gpt4rec_es.stack.state import DATABASE, load_state

ROLES = {
    "analyst": "gpt4rec_analyst",
    "writer": "gpt4rec_writer",
    "owner": "gpt4rec_owner",
    "admin": "postgres",
}


def psql_command(folder: Path, role: str) -> tuple[list[str], dict[str, str]]:
    """Return the command that opens psql as ``role``, a key of ``ROLES``, and its variables.

    The password goes by a variable, since every account can read command lines.

    Raises:
        UsageError: no stack was started in ``folder``.
        DependencyError: there is no psql.
    """
    state = load_state(folder)
    if state is None or not state.started:
        raise UsageError(
            f"No stack is up in {folder}.", "Start it by `gpt4rec stack up`, or name --folder."
        )
    beside = find_postgres(state.pg_bin) / "psql"
    program = str(beside) if beside.is_file() else shutil.which("psql")
    if program is None:
        raise DependencyError("There is no psql.", "Install it (Debian: postgresql-client).")
    port = str(state.ports["postgres"])
    command = [program, "-h", "127.0.0.1", "-p", port, "-U", ROLES[role], "-d", DATABASE]
    return command, {"PGPASSWORD": state.passwords[ROLES[role]]}
