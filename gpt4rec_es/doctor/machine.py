"""What this machine brings: versions of what is installed, and the broker."""

import platform
import re
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

from gpt4rec_es.doctor.findings import Finding, error, ok, warning
from gpt4rec_es.version import code_version

# package -> versions that are known to work, from (and with) to (without)
_SUPPORTED = {
    "elasticsearch": ((8, 19), (9,)),
    "psycopg2-binary": ((2, 9), (3,)),
    "sqlalchemy": ((2, 0), (2, 2)),
    "torch": ((2, 10), (3,)),
    "transformers": ((5, 20), (6,)),
}


def versions() -> Iterator[Finding]:
    """Say which versions of this program and of the libraries it stands on are installed."""
    found: dict[str, str] = {}
    for package, (least, below) in _SUPPORTED.items():
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            yield error(f"{package} is not installed.", "Install gpt4rec-es again.")
            continue
        if not least <= numbers(found[package]) < below:
            wanted = ".".join(map(str, least))
            yield warning(
                f"{package} is {found[package]}; tried were {wanted} to below {below[0]}.",
                "Install the versions of requirements/main.lock.",
            )
    listed = ", ".join(f"{package} {number}" for package, number in found.items())
    yield ok(f"gpt4rec {code_version()}, Python {platform.python_version()}, {listed}")


def broker(ping: Callable[[], None] | None) -> Iterator[Finding]:
    """Say whether the broker answers; one needs it only for workers."""
    if ping is None:
        yield ok("none is set: nights run in one process (`gpt4rec night`)")
        return
    ping()
    yield ok("answers")


def numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: 8.19.3+x is (8, 19, 3)."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()
