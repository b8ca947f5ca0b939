"""The register of exported files, to list those that may contain an erased user.

A file is registered before it is written, so it may be registered without existing. No user is
erased while an export runs.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.privacy import ExportedFile, register_export

LOCK = "exports"


@contextmanager
def registered(engine: Engine, path: Path | None, fmt: str) -> Iterator[None]:
    """Register ``path`` (None: stdout, not registered) while the block writes it."""
    if path is None:
        yield
        return
    file = ExportedFile(socket.gethostname(), str(path.resolve()), fmt)
    with locks.hold_lock(engine, LOCK, shared=True):
        with transaction(engine) as connection:
            register_export(connection, file)
        yield
