"""Fixtures of the suite live in plugins: one per kind of server, and one trained generator."""

pytest_plugins = ["tests.servers", "tests.databases", "tests.indexes", "tests.trained"]
