"""An HTTP server that slow or silent clients cannot exhaust; of the metrics, and of pages."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from gpt4rec_es.errors import UsageError

# Connections that are answered at once.
MAX_CLIENTS = 16
# Seconds that a client has to send its request and to take the answer, once others wait.
CLIENT_SECONDS = 10.0


class BoundedHandler(WSGIRequestHandler):
    """Answers one request within a time-out; logs nothing."""

    timeout = CLIENT_SECONDS

    def log_message(self, *_: Any) -> None:
        """Log nothing: a scrape every few seconds is no news."""


class BoundedServer(ThreadingMixIn, WSGIServer):
    """Serves at most ``MAX_CLIENTS`` connections at once.

    A further one takes the place of the oldest, if that has had its time, and is closed otherwise.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lock = threading.Lock()
        self._open: dict[Any, float] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer ``request`` in a thread, if there is a place for it."""
        now = time.monotonic()
        with self._lock:
            if len(self._open) >= MAX_CLIENTS:
                oldest = min(self._open, key=self._open.__getitem__)
                if now - self._open[oldest] < CLIENT_SECONDS:
                    self.shutdown_request(request)
                    return
                del self._open[oldest]
                with suppress(OSError):  # it ended meanwhile
                    oldest.shutdown(socket.SHUT_RDWR)  # also wakes its thread
            self._open[request] = now
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer ``request`` and give its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that went away or was too slow."""


@contextmanager
def serving_app(app: Any, host: str, port: int) -> Iterator[tuple[int, threading.Thread]]:
    """Serve a WSGI application until the block ends; yield the port, and the thread that answers.

    port: 0 takes a free one.

    Raises:
        UsageError: the address is in use, or is not an address of this machine.
    """
    try:
        families = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        kind = type("_Server", (BoundedServer,), {"address_family": families[0][0]})
        server: WSGIServer = make_server(host, port, app, kind, BoundedHandler)
    except OSError as error:
        raise UsageError(
            f"Cannot listen on {host} port {port}: {error.strerror or error}.",
            "Choose another by --listen HOST:PORT.",
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1]), thread
    finally:
        server.shutdown()
        server.server_close()
