"""The real servers that tests run on: found or started once per run, never skipped.

Set all three of GPT4REC_TEST_DATABASE_ADMIN_URL, GPT4REC_TEST_ELASTICSEARCH_URL and
GPT4REC_TEST_BROKER_URL to use servers you have; else the checkout's local stack is started, and
stopped again by the run that started it.
"""

import os
import sys
from collections.abc import Iterator
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
    """Where the servers listen. ``admin_url`` may create databases and roles."""

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
    was_up = stack.status(folder).is_up
    urls = stack.up(folder, stack.default_options(os.environ), announce=_say)
    stack.remember_folder(start, folder)
    yield Servers(urls.admin_database_url, urls.elasticsearch_url, urls.broker_url)
    if not was_up:
        stack.down(folder)
