"""The folder beside an output in which an unfinished training keeps its state."""

import errno
import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.lab.training.divergence import DivergedError

_NOTE = "fingerprint"
# Of file systems that have no locks.
_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOTSUP}


@contextmanager
def resumed_folder(output: Path, fingerprint: str) -> Iterator[Path]:
    """Open the folder of the state of an earlier, killed call, or a new one.

    fingerprint: hash of all that decides the result. The folder is deleted at the end. After an
    error it stays to be resumed, unless nothing in it is finished, or the training diverged: then
    it would only bar a call with other options.

    Raises:
        UsageError: the state there is that of another training, or the folder cannot be written.
        ConflictError: another process trains in it.
    """
    work = _work_of(output)
    with _held(work) as note:
        require_own(output, fingerprint)
        if note.read() != fingerprint.encode():
            _empty(work)
        note.seek(0)
        note.truncate()
        note.write(fingerprint.encode())
        note.flush()
        try:
            yield work
        except DivergedError:  # resumed, it would diverge again
            shutil.rmtree(work, ignore_errors=True)
            raise
        except BaseException:
            if not _is_begun(work):
                shutil.rmtree(work, ignore_errors=True)
            raise
        # Some file systems keep an open note for a while.
        shutil.rmtree(work, ignore_errors=True)


def require_own(output: Path, fingerprint: str) -> None:
    """Raise if the state for ``output`` is that of another training.

    Raises:
        UsageError: the state there is that of another training, and something in it is finished.
    """
    work = _work_of(output)
    note = work / _NOTE
    if note.is_file() and note.read_text() != fingerprint and _is_begun(work):
        raise UsageError(
            f"{work} holds an unfinished training with other options or data.",
            "Call it as before to finish it, or remove that folder.",
        )


def _work_of(output: Path) -> Path:
    return output.with_name(f".{output.name}.training")


def _is_begun(work: Path) -> bool:
    """Return whether a state is there: drafts and notes alone are nothing to resume from."""
    return any(
        path.is_file() and path.name != _NOTE and path.suffix != ".draft"
        for path in work.rglob("*")
    )


def _empty(work: Path) -> None:
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _NOTE:
            path.unlink()


@contextmanager
def _held(work: Path) -> Iterator[BinaryIO]:
    """Open the note of ``work``, which is created, and lock it for this process."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        file = (work / _NOTE).open("a+b")
    except OSError as error:
        raise UsageError(
            f"The folder {work.parent} cannot be written: {error.strerror}.",
            "Choose another --output.",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"Another process trains in {work}.", "Wait for its end, or end it."
            ) from error
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
        file.seek(0)
        yield file
