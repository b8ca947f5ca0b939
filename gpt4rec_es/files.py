"""Files that users name: only regular ones; a written one appears only when it is complete.

Until then an export is the partial file beside it, which a killed export leaves behind and the next
export on this machine deletes.
"""

import fcntl
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gpt4rec_es.errors import ConflictError, UsageError


def partial_of(path: Path) -> Path:
    """Return the partial file of an export to ``path``."""
    return path.with_name(f".{path.name}.gpt4rec-partial")


def require_regular(path: Path) -> None:
    """Check that ``path``, or what it links to, is a regular file or does not exist.

    A device may have no end, a pipe may never be read or written at its other end.

    Raises:
        UsageError: it is a device, a pipe, a socket or a folder.
    """
    if path.exists() and not path.is_file():
        raise UsageError(
            f"{path} is no regular file.", "Name a file, or use `-` where it is taken."
        )


def delete_partial_files(paths: Iterable[Path]) -> list[Path]:
    """Delete the partial files of killed exports to ``paths``; return those deleted.

    A partial file that is being written stays.
    """
    deleted = []
    for path in map(partial_of, paths):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            deleted.append(path)
    return deleted


@contextmanager
def open_target(path: Path | None) -> Iterator[BinaryIO]:
    """Yield a binary file that takes the name ``path`` when the block ends without an error.

    None: stdout. A symbolic link stays, and the file that it names is replaced.

    Raises:
        UsageError: there is no such folder, or ``path`` is no regular file.
        ConflictError: another export writes this file.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    require_regular(path)
    path = path.resolve()
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}.", "Create it, or name another file.")
    partial = partial_of(path)
    with _open_alone(partial) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def _open_alone(partial: Path) -> BinaryIO:
    """Return the new partial file, locked; one that is deleted meanwhile is opened again."""
    while True:
        # Readable by its owner alone: it has the ids of users.
        number = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        file = os.fdopen(number, "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise ConflictError(
                f"Another export writes {partial}.", "Wait for it, or name another file."
            ) from None
        with suppress(FileNotFoundError):
            if partial.stat().st_ino == os.fstat(number).st_ino:
                file.truncate()
                return file
        file.close()
