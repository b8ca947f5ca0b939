"""The register of exported files, to list those that may contain an erased user.

A file is registered before its first byte is written, by the path that is really written. One whose
content takes long to make is registered as wanted first, which names no file. No user is erased
meanwhile.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.exports import (
    ExportedFile,
    exports_of_host,
    finish_export,
    register_export,
)
from gpt4rec_es.files import delete_partial_files, require_regular

LOCK = "exports"


@contextmanager
def registered(
    engine: Engine, path: Path | None, fmt: str, *, is_made: bool = True
) -> Iterator[Callable[[], None]]:
    """Register ``path`` (None: stdout, not registered) while the block writes it.

    What killed exports left on this machine is deleted first. is_made: False: the block makes the
    content first, then calls the yielded function, then writes.

    Raises:
        UsageError: ``path`` is no regular file.
    """
    if path is None:
        yield lambda: None
        return
    require_regular(path)
    file = ExportedFile(socket.gethostname(), str(path.resolve()), fmt)
    with locks.hold_lock(engine, LOCK, shared=True):
        delete_leftovers(engine)

        def register(is_written: bool = True) -> None:
            with transaction(engine) as connection:
                register_export(connection, file, is_written=is_written)

        register(is_made)
        yield register
        with transaction(engine) as connection:
            finish_export(connection, file)


def delete_leftovers(engine: Engine) -> list[Path]:
    """Delete the partial files of killed exports on this machine; return them."""
    with transaction(engine) as connection:
        paths = exports_of_host(connection, socket.gethostname())
    return delete_partial_files(map(Path, paths))
