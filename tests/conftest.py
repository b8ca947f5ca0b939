"""Fixtures of the whole suite live in three plugins, one per kind of server."""

pytest_plugins = ["tests.servers", "tests.databases", "tests.indexes"]
