"""State file of a stack: its ports, its passwords, whether it was started.

Reading the addresses is cheap (JSON and pathlib only), because every command may need them. No
function starts, stops or contacts a server.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

from gpt4rec_es.errors import Gpt4RecError

DATABASE = "gpt4rec"
ROLES = ("postgres", "gpt4rec_owner", "gpt4rec_writer", "gpt4rec_analyst")
STATE_FILE = "state.json"
_FORMAT = 1


@dataclass(frozen=True, repr=False)  # not in a repr, so that tracebacks show no passwords
class StackUrls:
    """Addresses of the local servers, passwords included; the roles are those of migrations."""

    admin_database_url: str
    owner_database_url: str
    database_url: str
    analyst_database_url: str
    elasticsearch_url: str
    broker_url: str

    def as_dict(self) -> dict[str, str]:
        """Return the addresses by field name."""
        return asdict(self)

    def variables(self) -> dict[str, str]:
        """Return the addresses by the variables of the settings."""
        return {
            "DATABASE_URL": self.database_url,
            "GPT4REC_OWNER_DATABASE_URL": self.owner_database_url,
            "GPT4REC_ANALYST_DATABASE_URL": self.analyst_database_url,
            "ELASTICSEARCH_URL": self.elasticsearch_url,
            "CELERY_BROKER_URL": self.broker_url,
        }


@dataclass(frozen=True)
class State:
    """The content of the state file: ports by server, passwords by role and for the broker.

    ``pg_bin`` is the option with which Postgres was last started, because its data need the same
    version. ``heap_mb``: the option for Elasticsearch, if given.
    """

    ports: dict[str, int] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict, repr=False)
    pg_bin: str = ""
    heap_mb: int | None = None
    started: bool = False

    @classmethod
    def fresh(cls) -> Self:
        """Return a state with new passwords and no ports yet."""
        names = (*ROLES, "broker")
        return cls(passwords={name: secrets.token_urlsafe(24) for name in names})

    def with_port(self, name: str, port: int) -> "State":
        """Return a copy in which server ``name`` listens on ``port``."""
        return replace(self, ports={**self.ports, name: port})

    def database_url(self, role: str, database: str = DATABASE) -> str:
        """Return the SQLAlchemy URL of ``database`` for ``role``."""
        # The passwords are URL-safe by construction and need no quoting.
        password, port = self.passwords[role], self.ports["postgres"]
        return f"postgresql+psycopg2://{role}:{password}@127.0.0.1:{port}/{database}"

    def urls(self) -> StackUrls:
        """Return the addresses of all servers; KeyError while a port is not chosen yet."""
        return StackUrls(
            admin_database_url=self.database_url("postgres", "postgres"),
            owner_database_url=self.database_url("gpt4rec_owner"),
            database_url=self.database_url("gpt4rec_writer"),
            analyst_database_url=self.database_url("gpt4rec_analyst"),
            elasticsearch_url=f"http://127.0.0.1:{self.ports['elasticsearch']}",
            broker_url=f"redis://:{self.passwords['broker']}@127.0.0.1:{self.ports['broker']}/0",
        )


def load_state(folder: Path) -> State | None:
    """Return the state stored in ``folder``, or None if there is none.

    Raises:
        Gpt4RecError: the file exists but cannot be read or parsed.
    """
    path = folder / STATE_FILE
    try:
        raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if raw["format"] != _FORMAT:
            raise KeyError("format")
        del raw["format"]
        state = State(**raw)
        if not {*ROLES, "broker"} <= set(state.passwords):
            raise KeyError("passwords")
        return state
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Gpt4RecError(
            f"The stack's state {path} cannot be read: {error.strerror}.",
            "Use the account that started the stack, or another --folder.",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise Gpt4RecError(
            f"The stack's state {path} is damaged or of another release.",
            "Run 'gpt4rec stack down --delete' to remove this stack and its data, then 'up'.",
        ) from error


def save_state(folder: Path, state: State) -> None:
    """Replace the state file atomically; readable by its owner only."""
    write_private(
        folder / STATE_FILE,
        json.dumps({"format": _FORMAT, **asdict(state)}, indent=1) + "\n",
    )


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace the file at ``path`` by ``text`` atomically, created with ``mode``."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), mode)  # the umask may have removed bits
            os.fsync(stream.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def read_urls(folder: Path) -> StackUrls | None:
    """Return the addresses of the stack in ``folder``; None: not started, or stopped.

    Reads one small file and does not contact the servers.
    """
    try:
        state = load_state(folder)
    except Gpt4RecError:
        return None
    return state.urls() if state is not None and state.started else None


@contextmanager
def file_lock(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold an exclusive lock on the file ``path``; kill -9 of its holder releases it.

    If another process holds it, calls ``on_wait`` and waits.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            # The folder may have been deleted and created again during the wait.
            if path.exists() and os.fstat(descriptor).st_ino == path.stat().st_ino:
                yield
                return
        finally:
            os.close(descriptor)


class Server(Protocol):
    """Protocol of the three servers; see their modules."""

    name: str
    title: str
    port_names: tuple[str, ...]
    wait_s: float

    def pids(self) -> list[int]:
        """Return its processes."""

    def answers(self, state: State) -> bool:
        """Return whether this server answers on its port now."""

    def prepare(self) -> None:
        """Find and download the programs that a start needs."""

    def launch(self, state: State) -> None:
        """Start it."""

    def wait(self, state: State) -> None:
        """Wait until it is ready for use."""

    def stop(self, wait_s: float = ...) -> int:
        """Stop it, with SIGKILL after ``wait_s`` seconds; return the number of processes."""


@dataclass(frozen=True)
class ServerStatus:
    """Status of one server: ``state`` is up, starting (or hanging), or down."""

    name: str
    state: str
    pid: int | None
    port: int | None


@dataclass(frozen=True)
class StackStatus:
    """Status of a stack."""

    folder: str
    servers: tuple[ServerStatus, ...]

    @property
    def is_up(self) -> bool:
        """Whether all three servers answer."""
        return bool(self.servers) and all(server.state == "up" for server in self.servers)
