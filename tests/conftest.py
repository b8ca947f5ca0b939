<<<<<<< HEAD
"""Fixtures of the suite, in plugins: workers, servers, databases, indexes, a generator, commands."""
=======
"""Fixtures of the suite, in plugins: servers, databases, indexes, commands, a browser."""
>>>>>>> report

pytest_plugins = [
    "tests.parallel",
    "tests.servers",
    "tests.databases",
    "tests.indexes",
    "tests.trained",
    "tests.commands",
    "tests.browser.fixtures",
]
