"""Plugins of the suite: worker processes, servers, databases, indexes, a generator, commands."""

pytest_plugins = [
    "tests.parallel",
    "tests.servers",
    "tests.databases",
    "tests.indexes",
    "tests.trained",
    "tests.commands",
]
