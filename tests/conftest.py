"""Fixtures of the suite, in plugins: servers, databases, indexes, a generator, commands."""

pytest_plugins = [
    "tests.servers",
    "tests.databases",
    "tests.indexes",
    "tests.trained",
    "tests.commands",
]
