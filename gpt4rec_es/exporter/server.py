"""The HTTP side: one page of metrics, or that page as text. It knows no database."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.registry import Collector

from gpt4rec_es.errors import UsageError


def page(collector: Collector) -> str:
    """Return the metrics in Prometheus' text format."""
    return generate_latest(_registry(collector)).decode()


@contextmanager
def serving(collector: Collector, host: str, port: int) -> Iterator[tuple[int, Thread]]:
    """Serve the metrics until the block ends; yield the port, and the thread that answers.

    port: 0 takes a free one.

    Raises:
        UsageError: the address is taken, or not one of this machine.
    """
    try:
        server, thread = start_http_server(port, host, _registry(collector))
    except OSError as error:
        raise UsageError(
            f"Cannot listen on {host} port {port}: {error.strerror or error}.",
            "Choose another by --listen HOST:PORT.",
        ) from error
    try:
        yield int(server.server_address[1]), thread
    finally:
        server.shutdown()
        server.server_close()


def _registry(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry
