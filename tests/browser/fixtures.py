"""The browser of a test run: started once, by the first test that looks at a page."""

import os
from collections.abc import Iterator

import pytest

from gpt4rec_es.stack import default_options
from tests.browser.chromium import Chromium
from tests.browser.obtain import obtain


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """Return a headless Chromium; without one the test fails, it is never skipped."""
    with Chromium(obtain(default_options(os.environ).cache)) as found:
        yield found
