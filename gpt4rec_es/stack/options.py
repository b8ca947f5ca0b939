"""Options of a local stack as plain values, and the type of its announcements."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Announce = Callable[[str], None]


def ignore_announcement(line: str) -> None:
    """Ignore an announcement; the default for callers that show none."""


@dataclass(frozen=True)
class StackOptions:
    """Options of ``up``; ``cache`` is the folder for downloads of all stacks.

    ``repository``: Maven's local repository, read if it has an archive. ``pg_bin`` and
    ``broker_bin``: ``wheel`` for the installed wheel's programs, ``system`` for the system's, else
    the folder with Postgres' programs or the broker's program; empty: the wheel's, or for Postgres
    the previous choice. ``java_home`` None: the ``java`` on the PATH. ``heap_mb``: Elasticsearch's
    heap; None: the previous choice, else by the machine's memory. Ports: 0 for any free one.
    ``account``: runs the servers for root; empty: the previous one, else the account ``nobody``.
    """

    cache: Path
    repository: Path
    pg_bin: str = ""
    broker_bin: str = ""
    java_home: Path | None = None
    heap_mb: int | None = None
    account: str = ""
    postgres_port: int = 0
    elasticsearch_port: int = 0
    broker_port: int = 0

    def port(self, server: str) -> int:
        """Return the requested port of ``server``; 0: any."""
        port: int = getattr(self, f"{server}_port", 0)
        return port


def default_options(environ: Mapping[str, str], **choices: Any) -> StackOptions:
    """Return ``choices`` with the caller's folders for downloads (XDG_CACHE_HOME) and Maven."""
    try:
        home = Path(environ.get("HOME") or Path.home())
    except RuntimeError:  # a uid without an account, and no HOME
        home = Path(f"/var/tmp/gpt4rec-home-{os.getuid()}")  # noqa: S108 - ownership is checked
    base = environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore relative paths.
    cache = Path(base) if base.startswith("/") else home / ".cache"
    return StackOptions(cache / "gpt4rec", home / ".m2" / "repository", **choices)
