"""The stack's PostgreSQL: passwords, loopback TCP, and the database with its three roles."""

import shutil
import signal
import time
from pathlib import Path

from gpt4rec_es.errors import ConflictError, DependencyError, UsageError
from gpt4rec_es.stack import processes
from gpt4rec_es.stack.account import naming_prefix, run_detached
from gpt4rec_es.stack.diagnostics import start_error, tail
from gpt4rec_es.stack.options import StackOptions
from gpt4rec_es.stack.place import Place
from gpt4rec_es.stack.programs import find_postgres
from gpt4rec_es.stack.reach import reachable_postgres
from gpt4rec_es.stack.state import DATABASE, State, load_state

_START_SECONDS = 120
_STOP_SECONDS = 60.0
_CONFIG = """\
# Written at every start of the stack; changes here are lost.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 100
timezone = 'UTC'
log_timezone = 'UTC'
"""


class Postgres:
    """One PostgreSQL server in ``<folder>/postgres``."""

    name = "postgres"
    title = "PostgreSQL"
    port_names: tuple[str, ...] = ("postgres",)
    wait_s = 15.0  # seconds for a running server to answer

    def __init__(self, place: Place, options: StackOptions) -> None:
        self._place = place
        self._choice = options.pg_bin
        self._folder = place.folder / self.name
        self._data = self._folder / "data"
        self._log = self._folder / "server.log"
        self._bin: Path | None = None
        self._mark = processes.Mark("postgres", ("-D", str(self._data)))

    def pids(self) -> list[int]:
        """Return the server's main process, without its children."""
        return processes.find(self._mark, self._place.account.uid)

    def answers(self, state: State) -> bool:
        """Return whether it accepts the superuser's password now."""
        from gpt4rec_es.stack import roles  # noqa: PLC0415 - loads psycopg2

        return roles.answers(state)

    def prepare(self) -> None:
        """Find its programs and check the data folder before the start."""
        found = find_postgres(self._choice)
        self._place.server_folder(self.name)
        self._bin = reachable_postgres(found, self._place.account, self._place.programs)
        version = self._data / "PG_VERSION"
        if not self._data.exists():
            naming_prefix(self._place.account)  # fails before a server is started
        elif version.exists():
            self._require_major(version.read_text("ascii").strip())

    def _require_major(self, of_data: str) -> None:
        _, output = self._run("postgres", "--version")
        if f" {of_data}." not in output:
            raise ConflictError(
                f"The data in {self._data} are PostgreSQL {of_data}'s, the programs are "
                f"{output.strip()}.",
                "Name suitable ones by --pg-bin, or remove the stack by 'down --delete'.",
            )

    def launch(self, state: State) -> None:
        """Start it and wait until it answers; the first start creates the data folder.

        Raises:
            DependencyError: it does not start; the message has the reason.
        """
        if not self._data.exists():
            self._init(state)
        self._place.write(
            self._data / "postgresql.conf", _CONFIG.format(port=state.ports["postgres"])
        )
        self._drop_foreign_pid()
        self._place.remove(self._log)
        deadline = time.monotonic() + 15
        while not self._start():
            # Children of a killed server may run for a moment longer and hold its shared memory.
            if "shared memory block" not in tail(self._log) or time.monotonic() > deadline:
                raise start_error(self.title, self._log, "")
            time.sleep(0.5)

    def wait(self, state: State) -> None:
        """Create or correct database and roles; the server answers since ``launch``."""
        from gpt4rec_es.stack import roles  # noqa: PLC0415 - loads psycopg2

        roles.provision(state)

    def stop(self, wait_s: float = _STOP_SECONDS) -> int:
        """Stop it without waiting for clients (SIGINT); return the number of processes."""
        return processes.stop(self._mark, self._place.account.uid, wait_s, first=signal.SIGINT)

    def _start(self) -> bool:
        code, _ = self._run(
            "pg_ctl", "start", "-s", "-w", "-t", str(_START_SECONDS),
            "-D", str(self._data), "-l", str(self._log),
        )  # fmt: skip
        return code == 0

    def _drop_foreign_pid(self) -> None:
        """Remove a pid file that names another process or a zombie, so that Postgres starts.

        This happens after a reboot, or after kill -9 if the parent does not reap. Called only when
        no server runs on these data; children of a dead one still hold its shared memory, which
        Postgres checks itself.
        """
        path = self._data / "postmaster.pid"
        try:
            pid = int(path.read_bytes().split(b"\n", 1)[0])
        except (OSError, ValueError):
            return
        account = self._place.account
        if Path(f"/proc/{pid}").exists() and not processes.is_ours(pid, self._mark, account.uid):
            self._place.remove(path)

    def _init(self, state: State) -> None:
        """Create the data folder under another name and rename it when it is complete."""
        scratch = self._folder / "data.new"
        self._place.remove(scratch)
        password = self._folder / "password"
        self._place.write(password, state.passwords["postgres"])
        try:
            code, output = self._run(
                "initdb", "-D", str(scratch), "-U", "postgres", "--pwfile", str(password),
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8",
            )  # fmt: skip
        finally:
            self._place.remove(password)
        if code != 0:
            raise start_error(self.title, self._log, output)
        self._place.rename(scratch, self._data)

    def _run(self, program: str, *arguments: str) -> tuple[int, str]:
        assert self._bin is not None  # noqa: S101 - prepare comes first
        command = [str(self._bin / program), *arguments]
        if program == "initdb":
            command = [*naming_prefix(self._place.account), *command]
        return run_detached(command, self._folder, self._place.account)


ROLES = {
    "analyst": "gpt4rec_analyst",
    "writer": "gpt4rec_writer",
    "owner": "gpt4rec_owner",
    "admin": "postgres",
}


def psql_command(folder: Path, role: str) -> tuple[list[str], dict[str, str]]:
    """Return the command that opens psql as ``role``, a key of ``ROLES``, and its variables.

    The password is passed in PGPASSWORD, because every account can read command lines.

    Raises:
        UsageError: no stack was started in ``folder``.
        DependencyError: there is no psql.
    """
    state = _started_state(folder)
    local_psql = find_postgres(state.pg_bin) / "psql"
    program = str(local_psql) if local_psql.is_file() else shutil.which("psql")
    if program is None:
        raise DependencyError("There is no psql.", "Install it (Debian: postgresql-client).")
    port = str(state.ports["postgres"])
    command = [program, "-h", "127.0.0.1", "-p", port, "-U", ROLES[role], "-d", DATABASE]
    return command, {"PGPASSWORD": state.passwords[ROLES[role]]}


def shell_variables(folder: Path) -> dict[str, str]:
    """Return the addresses of the servers in ``folder`` by variable, as psql and curl take them.

    Raises:
        UsageError: no stack was started in ``folder``.
    """
    variables = _started_state(folder).urls().variables()
    # SQLAlchemy's name of the driver is unknown to libpq.
    return {
        name: url.replace("postgresql+psycopg2://", "postgresql://")
        for name, url in variables.items()
    }


def _started_state(folder: Path) -> State:
    state = load_state(folder)
    if state is None or not state.started:
        raise UsageError(
            f"No stack is up in {folder}.", "Start it by `gpt4rec stack up`, or name --folder."
        )
    return state
