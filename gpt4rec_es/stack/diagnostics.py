"""Error messages for servers that do not start, derived from their logs."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpt4rec_es.errors import DependencyError

_TAIL_BYTES = 60_000


class PortTakenError(DependencyError):
    """Another program took the port between its choice and the server's start."""


@contextmanager
def disk_errors_named() -> Iterator[None]:
    """Turn an OSError of the block into a one-line error with a remedy.

    Raises:
        DependencyError: the block met an OSError.
    """
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DependencyError(
                f"The disk is full{where}.", "Free disk space and run the command again."
            ) from error
        raise DependencyError(
            f"The system refused a file{where}: {error.strerror or error}.",
            "Check its permissions and file system, or name another --folder.",
        ) from error


def start_error(server: str, log: Path, output: str) -> DependencyError:
    """Return the error with the reason why ``server`` did not start.

    ``output`` is the output of the starting program; the end of the server's ``log`` is read, too.
    """
    text = f"{output}\n{tail(log)}"
    where = f"Its log is {log}."
    if "Address already in use" in text or "could not bind" in text or "BindException" in text:
        return PortTakenError(
            f"{server} did not start: its port is taken.", "Run the command again."
        )
    if "No space left on device" in text:
        return DependencyError(
            f"{server} did not start: the disk is full.", f"Make room and run 'up' again. {where}"
        )
    if found := re.search(r"unknown setting \[([^\]]+)\]", text):
        return DependencyError(
            f"{server} did not start: it does not know the setting '{found[1]}'.", where
        )
    if "Cannot allocate memory" in text or "insufficient memory" in text:
        return DependencyError(
            f"{server} did not start: too little memory.",
            f"The three servers need about 1.2 GB. {where}",
        )
    return DependencyError(f"{server} did not start: {_last_error_line(text)}", where)


def tail(log: Path) -> str:
    """Return the end of a text file; empty: there is no file."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _last_error_line(text: str) -> str:
    """Return the last line that contains an error, else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"FATAL|PANIC|ERROR|Exception|rror:", line)]
    found = (errors or lines or ["no output"])[-1]
    return found[:300].rstrip(".") + "."
