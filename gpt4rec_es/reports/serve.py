"""Serves the pages of a folder, to readers on this machine by default.

The program's own bounded server and 40 lines suffice: an ASGI server would add two dependencies,
and the standard file handler lists folders and follows links. Nothing is written, nothing but pages
is read, and a request with another host name, as by a foreign page that resolves to this machine,
is refused.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Thread
from typing import Any

from gpt4rec_es.errors import UsageError
from gpt4rec_es.exporter.server import serving_app
from gpt4rec_es.reports.pages import MOST_BYTES

_NAME = re.compile(r"/([A-Za-z0-9][A-Za-z0-9._-]{0,199}\.html)")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
]

_Start = Callable[[str, list[tuple[str, str]]], Any]


def serving_pages(folder: Path, host: str, port: int) -> AbstractContextManager[tuple[int, Thread]]:
    """Serve the pages of ``folder`` until the block ends; yields port and thread.

    Raises:
        UsageError: there is no such folder, or the address cannot be used.
    """
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {folder}.", "Write a page first: `gpt4rec report night`."
        )
    names = _LOOPBACK if host in {"127.0.0.1", "::1", "localhost"} else None

    def app(environ: dict[str, Any], start: _Start) -> Iterable[bytes]:
        status, body = _answer(folder, environ, names)
        start(status, [*_HEADERS, ("Content-Length", str(len(body)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return serving_app(app, host, port)


def _answer(
    folder: Path, environ: dict[str, Any], names: frozenset[str] | None
) -> tuple[str, bytes]:
    if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
        return "405 Method Not Allowed", b"Pages are only read.\n"
    asked = re.sub(r":\d+$", "", environ.get("HTTP_HOST", ""))
    if names is not None and asked not in names:
        return "403 Forbidden", b"This host name is not served.\n"
    path = environ["PATH_INFO"]
    found = _NAME.fullmatch("/index.html" if path == "/" else path)
    body = _read(folder / found[1]) if found else None
    return ("200 OK", body) if body is not None else ("404 Not Found", b"There is no such page.\n")


def _read(path: Path) -> bytes | None:
    """Return the content of a page; None: no regular file, or more bytes than a page has."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        status = os.fstat(number)
        is_page = stat.S_ISREG(status.st_mode) and status.st_size <= MOST_BYTES
        return os.read(number, MOST_BYTES) if is_page else None
    finally:
        os.close(number)
