"""Fixtures of the suite live in plugins: servers, databases, indexes, a generator, commands."""

pytest_plugins = [
    "tests.servers",
    "tests.databases",
    "tests.indexes",
    "tests.trained",
    "tests.commands",
]
