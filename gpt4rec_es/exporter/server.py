"""An HTTP server for the metrics that slow or silent clients cannot exhaust."""

import socket
import threading
import time
from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

# Connections that are answered at once.
MAX_CLIENTS = 16
# Seconds that a client has to send its request and to take the answer, once others wait.
CLIENT_SECONDS = 10.0


class MetricsHandler(WSGIRequestHandler):
    """Answers one request within a time-out; logs nothing."""

    timeout = CLIENT_SECONDS

    def log_message(self, *_: Any) -> None:
        """Log nothing: a scrape every few seconds is no news."""


class MetricsServer(ThreadingMixIn, WSGIServer):
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
