"""The servers of tests: found or started once per test run; tests are never skipped.

Set all three of GPT4REC_TEST_DATABASE_ADMIN_URL, GPT4REC_TEST_ELASTICSEARCH_URL and
GPT4REC_TEST_BROKER_URL to use existing servers; else the checkout's local stack is started, and
stopped by the test run that started it.
"""

import fcntl
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gpt4rec_es import stack

_VARIABLES = (
    "GPT4REC_TEST_DATABASE_ADMIN_URL",
    "GPT4REC_TEST_ELASTICSEARCH_URL",
    "GPT4REC_TEST_BROKER_URL",
)


@dataclass(frozen=True)
class Servers:
    """URLs of the servers. ``admin_url`` may create databases and roles."""

    admin_url: str
    elasticsearch_url: str
    broker_url: str


def _from_environment() -> Servers | None:
    given = [os.environ.get(name, "") for name in _VARIABLES]
    if not any(given):
        return None
    missing = [name for name, value in zip(_VARIABLES, given, strict=True) if not value]
    if missing:
        pytest.exit(f"Set all three or none: {', '.join(missing)} not set.", returncode=2)
    return Servers(*given)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Return the servers' addresses."""
    if given := _from_environment():
        yield given
        return
    start = stack.checkout(Path.cwd())
    folder = stack.default_folder(start)
    with _shared(folder) as is_last_user:
        was_up = stack.status(folder).is_up
        urls = stack.up(folder, stack.default_options(os.environ), announce=_say)
        stack.remember_folder(start, folder)
        yield Servers(urls.admin_database_url, urls.elasticsearch_url, urls.broker_url)
        if not was_up and is_last_user():
            stack.down(folder)


@contextmanager
def _shared(folder: Path) -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether no other test run uses the stack in ``folder``."""
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:10]
    name = Path(tempfile.gettempdir()) / f"gpt4rec-tests-{os.getuid()}-{digest}.lock"
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)

    def is_last_user() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield is_last_user
    finally:
        os.close(descriptor)
