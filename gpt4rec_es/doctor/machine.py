"""Checks of this machine: installed versions, broker, generator files and device."""

import platform
import re
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import generators
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.doctor.findings import Finding, error, ok, warning
from gpt4rec_es.elastic.disk import readable
from gpt4rec_es.protocols import QueryGenerator
from gpt4rec_es.settings import Settings
from gpt4rec_es.version import code_version

# package -> versions known to work: from (inclusive), to (exclusive)
_SUPPORTED = {
    "elasticsearch": ((8, 19), (9,)),
    "psycopg2-binary": ((2, 9), (3,)),
    "sqlalchemy": ((2, 0), (2, 2)),
    "torch": ((2, 10), (3,)),
    "transformers": ((5, 20), (6,)),
}


def versions() -> Iterator[Finding]:
    """Report the installed versions of this program and of its main libraries."""
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
    """Check that the broker answers; only workers need it."""
    if ping is None:
        yield ok("none is set: nights run in one process (`gpt4rec night`)")
        return
    ping()
    yield ok("answers")


def numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: 8.19.3+x is (8, 19, 3)."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()


_LITTLE_BYTES = 2 * 2**30


def current(
    engine: Engine, open_generator: Callable[[Generator], QueryGenerator]
) -> Iterator[Finding]:
    """Check that the current generator's files are those that were registered."""
    with transaction(engine) as connection:
        row = generators.current(connection)
    if row is None:
        yield ok("none is in use")  # the check of the recipe says whether one is needed
        return
    if open_generator(row).content_hash != row.content_hash:
        yield error(
            row.changed,
            f"Put that back, or register {row.path} under another name and use that.",
        )
        return
    if row.folder is None:
        yield ok(f"{row.name}, which needs no files")
        return
    free = shutil.disk_usage(row.folder).free
    measured = f"{row.name} in {row.path} is as registered; {readable(free)} of its disk are free"
    if free < _LITTLE_BYTES:
        yield warning(measured, "Training needs room for checkpoints: free or add disk space.")
    else:
        yield ok(measured)


def device(settings: Settings, describe: Callable[[str], str]) -> Iterator[Finding]:
    """Report the device that the model would run on."""
    yield ok(describe(settings.generator.device))
