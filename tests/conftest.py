"""Fixtures of the suite, in plugins: workers, servers, databases, generators, a browser ..."""

pytest_plugins = [
    "tests.parallel",
    "tests.servers",
    "tests.databases",
    "tests.indexes",
    "tests.trained",
    "tests.commands",
    "tests.browser.fixtures",
]
