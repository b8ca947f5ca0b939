"""Collects all metrics for one scrape, within Prometheus' scrape timeout.

A failing or slow part does not hide or delay the others, and an unresponsive server does not delay
the scrape: a thread reads, and the scrape waits for it up to a time limit.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine

from gpt4rec_es.exporter.server import serving_app
from gpt4rec_es.logs import scrub
from gpt4rec_es.version import code_version

log = logging.getLogger(__name__)

# Prometheus' default scrape_timeout is ten seconds.
SCRAPE_SECONDS = 8.0

# returns the metrics of one part
Part = Callable[[Connection], list[Metric]]


@dataclass
class _Scrape:
    """Metrics that one thread has read so far."""

    deadline: float
    metrics: dict[str, list[Metric]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)


class PostgresCollector(Collector):
    """Yields the metrics of every part, and which parts could be read.

    engine: has a statement timeout well below ``scrape_seconds``.
    """

    def __init__(
        self, engine: Engine, parts: Mapping[str, Part], scrape_seconds: float = SCRAPE_SECONDS
    ) -> None:
        self._engine, self._parts, self._seconds = engine, parts, scrape_seconds
        self._lock = threading.Lock()
        self._running: _Scrape | None = None

    def describe(self) -> list[Metric]:
        """Return no metrics, so that registering the collector does not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics read within the time limit of a scrape; never raises.

        While an earlier read has not returned, no second one is started.
        """
        with self._lock:
            reading = _Scrape(time.monotonic() + self._seconds)
            if self._running is None or self._running.done.is_set():
                self._running = reading
                threading.Thread(target=self._read, args=(reading,), daemon=True).start()
                reading.done.wait(self._seconds)
            # The thread may go on writing: this copies what has been read so far.
            metrics, seconds = dict(reading.metrics), dict(reading.seconds)
        for found in metrics.values():
            yield from found
        yield from self._scrape_metrics(metrics, seconds)

    def _scrape_metrics(
        self, metrics: Mapping[str, list[Metric]], seconds: Mapping[str, float]
    ) -> Iterator[Metric]:
        missing = self._parts.keys() - metrics.keys()
        yield GaugeMetricFamily(
            "gpt4rec_up", "1: all metrics could be read from Postgres.", float(not missing)
        )
        ups = GaugeMetricFamily(
            "gpt4rec_exporter_part_up", "1: this part could be read.", labels=["part"]
        )
        times = GaugeMetricFamily(
            "gpt4rec_exporter_part_duration_seconds", "Time to read this part.", labels=["part"]
        )
        for name in self._parts:
            ups.add_metric([name], float(name in metrics))
            if name in seconds:
                times.add_metric([name], seconds[name])
        info = GaugeMetricFamily("gpt4rec_exporter_info", "The exporter's code.", labels=["code"])
        info.add_metric([code_version()], 1.0)
        yield from (ups, times, info)

    def _read(self, reading: _Scrape) -> None:
        try:
            for name, part in self._parts.items():
                if time.monotonic() > reading.deadline:
                    log.warning("no time left to read %s", name)
                    return
                self._read_part(reading, name, part)
        finally:
            reading.done.set()

    def _read_part(self, reading: _Scrape, name: str, part: Part) -> None:
        started = time.monotonic()
        try:
            # A separate transaction: a failing part must not abort that of the next.
            with self._engine.connect() as connection:
                reading.metrics[name] = part(connection)
        except Exception as error:  # any exception: the other parts must still be read
            log.warning("%s could not be read: %s", name, scrub(str(error)).partition("\n")[0])
        reading.seconds[name] = time.monotonic() - started


def gauge(name: str, help_text: str, value: Any) -> Metric:
    """Return a gauge without labels; ``value`` is a number from the database."""
    return GaugeMetricFamily(name, help_text, float(value))


def gauges_by(name: str, help_text: str, label: str, values: dict[str, int]) -> Metric:
    """Return a gauge with ``label``; the keys of ``values`` are the label values."""
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def counter(name: str, help_text: str, label: str, values: dict[str, int]) -> Metric:
    """Return a counter with ``label``; with label "" one without labels, its value under ""."""
    family = CounterMetricFamily(name, help_text, labels=[label] if label else [])
    for key, value in values.items():
        family.add_metric([key] if label else [], value)
    return family


def page(collector: Collector) -> str:
    """Return the metrics in Prometheus' text format."""
    return generate_latest(_registry(collector)).decode()


@contextmanager
def serving(collector: Collector, host: str, port: int) -> Iterator[tuple[int, Thread]]:
    """Serve the metrics until the block ends; yield the port, and the thread that answers.

    port: 0 takes a free one.

    Raises:
        UsageError: the address is in use, or is not an address of this machine.
    """
    with serving_app(make_wsgi_app(_registry(collector)), host, port) as found:
        yield found


def _registry(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry
