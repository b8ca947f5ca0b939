"""Fixtures of the suite, in plugins: servers, databases, indexes, commands, a browser."""

pytest_plugins = [
    "tests.servers",
    "tests.databases",
    "tests.indexes",
    "tests.trained",
    "tests.commands",
    "tests.browser.fixtures",
]
