"""What one may choose about a local stack, as plain values, and what it reports while it works."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Announce = Callable[[str], None]


def be_quiet(line: str) -> None:
    """Ignore what is announced: the default for callers that show nothing."""


@dataclass(frozen=True)
class StackOptions:
    """Choices for ``up``; ``cache`` is the folder that keeps downloads for all stacks.

    ``pg_bin`` and ``broker_bin``: empty for the installed wheel's, ``system`` for the system's,
    else the folder with Postgres' programs or the broker's program. ``java_home`` None: the
    ``java`` on the PATH. Ports: 0 for any free one. ``account``: runs the servers for root;
    empty for the one that did before, else nobody.
    """

    cache: Path
    pg_bin: str = ""
    broker_bin: str = ""
    java_home: Path | None = None
    account: str = ""
    postgres_port: int = 0
    elasticsearch_port: int = 0
    broker_port: int = 0

    def port(self, server: str) -> int:
        """Return the port asked for ``server``; 0: none in particular."""
        port: int = getattr(self, f"{server}_port", 0)
        return port


def default_cache(environ: Mapping[str, str], home: Path) -> Path:
    """Return the per-user folder for downloads, by XDG_CACHE_HOME where it is set."""
    base = environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore relative paths.
    return (Path(base) if base.startswith("/") else home / ".cache") / "gpt4rec"
