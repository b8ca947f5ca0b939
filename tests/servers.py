"""The servers of tests: found or started once per test run; tests are never skipped.

Set all three of GPT4REC_TEST_DATABASE_ADMIN_URL, GPT4REC_TEST_ELASTICSEARCH_URL and
GPT4REC_TEST_BROKER_URL to use existing servers; else the checkout's local stack is started, and
stopped by the test run that started it.
"""

import fcntl
import hashlib
import os
import random
import re
import sys
import tempfile
from collections.abc import Iterator
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
_REDIS_DATABASES = 16


@dataclass(frozen=True)
class Servers:
    """URLs of the servers. ``admin_url`` may create databases and roles."""

    admin_url: str
    elasticsearch_url: str
    broker_url: str

    def queue_url(self) -> str:
        """Return a Redis database of this process's choice, because all queues have the same names.

        Workers of one test run choose among different ones.
        """
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        mine = range(1 + worker % workers, _REDIS_DATABASES, workers)
        return re.sub(r"/\d*$", "", self.broker_url) + f"/{random.choice(mine)}"


def _from_environment() -> Servers | None:
    given = [os.environ.get(name, "") for name in _VARIABLES]
    if not any(given):
        return None
    missing = [name for name, value in zip(_VARIABLES, given, strict=True) if not value]
    if missing:
        raise pytest.UsageError(f"Set all three or none: {', '.join(missing)} not set.")
    return Servers(*given)


def pytest_configure() -> None:
    """Refuse half an environment before worker processes start, which could not say so."""
    _from_environment()


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


@pytest.fixture(scope="session")
def servers(testrun_uid: str) -> Iterator[Servers]:
    """Return the servers' addresses."""
    if given := _from_environment():
        yield given
        return
    start = stack.checkout(Path.cwd())
    folder = stack.default_folder(start)
    with _shared(folder, testrun_uid) as users:
        if not stack.status(folder).is_up:
            users.start()
        urls = stack.up(folder, stack.default_options(os.environ), announce=_say)
        stack.remember_folder(start, folder)
        yield Servers(urls.admin_database_url, urls.elasticsearch_url, urls.broker_url)
        if users.is_last_of_starter():
            stack.down(folder)


@dataclass(frozen=True)
class _Users:
    """The processes that use a stack: each locks a file that names the run that started it."""

    descriptor: int
    run: str

    def start(self) -> None:
        os.pwrite(self.descriptor, self.run.encode(), 0)

    def is_last_of_starter(self) -> bool:
        """Return whether this run started the stack and no other process uses it."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return os.pread(self.descriptor, 100, 0) == self.run.encode()


@contextmanager
def _shared(folder: Path, run: str) -> Iterator[_Users]:
    """Yield the users of the stack in ``folder``, this process among them."""
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:10]
    name = Path(tempfile.gettempdir()) / f"gpt4rec-tests-{os.getuid()}-{digest}.lock"
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield _Users(descriptor, run)
    finally:
        os.close(descriptor)
