"""Fixtures of the suite, in plugins: workers, servers, databases, indexes, a browser, commands."""

pytest_plugins = [
    "tests.parallel",
    "tests.servers",
    "tests.databases",
    "tests.indexes",
    "tests.trained",
    "tests.commands",
    "tests.browser.fixtures",
]
