"""Plugins of the suite: worker processes, servers, databases, indexes, commands, a browser."""

pytest_plugins = [
    "tests.parallel",
    "tests.servers",
    "tests.databases",
    "tests.indexes",
    "tests.trained",
    "tests.commands",
    "tests.browser.fixtures",
]
