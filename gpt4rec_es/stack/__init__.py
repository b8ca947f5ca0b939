"""Local Postgres, Elasticsearch and broker for laptops and tests, not for production.

Importing this package is cheap, because every command reads a running stack's addresses from it.
"""

from gpt4rec_es.stack.lifecycle import down, status, up
from gpt4rec_es.stack.options import StackOptions, default_options
from gpt4rec_es.stack.place import checkout, default_folder, forget_folder, remember_folder
from gpt4rec_es.stack.postgres import psql_command, shell_variables
from gpt4rec_es.stack.state import ServerStatus, StackStatus, StackUrls, read_urls

__all__ = [
    "ServerStatus",
    "StackOptions",
    "StackStatus",
    "StackUrls",
    "checkout",
    "default_folder",
    "default_options",
    "down",
    "forget_folder",
    "psql_command",
    "read_urls",
    "remember_folder",
    "shell_variables",
    "status",
    "up",
]
