"""Files that users name: only regular ones; a written one appears only when it is complete.

Until then an export is the partial file beside it, which a killed export leaves behind and the next
export on this machine deletes.
"""

import fcntl
import os
import stat
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
    try:
        is_usable = not path.resolve().exists() or path.is_file()
        str(path).encode()
    except (OSError, RuntimeError, UnicodeEncodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no name of a file"
        raise UsageError(f"{str(path)!r} cannot be used: {reason}.", "Name another file.") from None
    if not is_usable:
        raise UsageError(f"{path} is no regular file.", "Name a file, or `-` where it is taken.")


def delete_partial_files(paths: Iterable[Path]) -> list[Path]:
    """Delete the partial files of killed exports to ``paths``; return those deleted.

    A partial file that is being written stays.
    """
    deleted = []
    for path in map(partial_of, paths):
        # Not blocking: another user may have put a pipe there.
        with suppress(OSError):
            number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            with os.fdopen(number, "rb") as file:
                if stat.S_ISREG(os.fstat(number).st_mode):
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
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        number = os.open(partial, flags, 0o600)
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise UsageError(f"{partial} is no regular file.", "Delete it, or name another file.")
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
