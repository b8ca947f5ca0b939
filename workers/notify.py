"""Notify workers: one message per queue and run, with the run to drain."""

import logging
import threading
from collections.abc import Collection
from typing import Any

from celery import Celery
from kombu.connection import Connection as BrokerConnection
from kombu.exceptions import OperationalError

from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import DependencyError, UsageError, first_line
from gpt4rec_es.logs import scrub
from gpt4rec_es.night.stages.advance import GENERATION, RETRIEVAL, queue_of, waiting
from gpt4rec_es.runtime import Runtime
from workers.broker import connection_options
from workers.forks import delayed_forks

log = logging.getLogger(__name__)

_TASKS = {GENERATION: "queries.drain", RETRIEVAL: "recommendations.drain"}


def notify(app: Celery, run: Run, expires_seconds: float) -> None:
    """Notify the workers that do the next step of ``run``; none for a finished run.

    Raises:
        DependencyError: the broker cannot be reached. No work is lost: re-drivers notify again.
    """
    queue = queue_of(run)
    if queue:
        notify_queue(app, queue, run.run_id, expires_seconds)


def ping(url: str) -> None:
    """Raise unless the broker at ``url`` answers.

    Raises:
        DependencyError: it does not answer. UsageError: the URL has a wrong option.
    """
    try:
        with BrokerConnection(url, connect_timeout=3, **connection_options(url)) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
    except (OperationalError, OSError) as error:
        raise _unreachable(error, "Check CELERY_BROKER_URL.") from error
    except (KeyError, TypeError, ValueError) as error:  # of an option after the URL's "?"
        raise UsageError(
            f"CELERY_BROKER_URL has an option that cannot be used: {first_line(scrub(str(error)))}."
        ) from error


def notify_queue(app: Celery, queue: str, run_id: str, expires_seconds: float) -> None:
    """Send "drain run_id" to a queue; the message expires after ``expires_seconds``."""
    # A broker that is read-only answers with an error of its own client library.
    refusals: Any = app.connection_for_write().channel_errors
    try:
        app.send_task(
            _TASKS[queue], args=[run_id], queue=queue, expires=expires_seconds, retry=False
        )
    except Exception as error:
        if not isinstance(error, (OperationalError, OSError, *refusals)):
            raise
        raise _unreachable(
            error, "Check CELERY_BROKER_URL; the run waits and re-drivers notify again."
        ) from error


def _unreachable(error: Exception, hint: str) -> DependencyError:
    return DependencyError(f"The broker cannot be reached: {first_line(scrub(str(error)))}.", hint)


def notify_waiting(app: Celery, runtime: Runtime, queues: Collection[str]) -> int:
    """Notify workers of every run with unleased work on one of ``queues``; return their number."""
    found = [one for one in retrying(runtime.engine, waiting) if one[0] in queues]
    for queue, run_id in found:
        # The message expires at the next round, so that a busy worker's queue does not grow.
        notify_queue(app, queue, run_id, float(runtime.settings.redrive_seconds))
    return len(found)


class Redriver(threading.Thread):
    """Thread that notifies the queues of its own worker, so that runs complete without beat.

    It runs in the worker's parent process and keeps no connection between rounds. The pool forks
    between rounds only, so that no connection is open then, and no lock held.
    """

    def __init__(self, app: Celery, queues: Collection[str]) -> None:
        super().__init__(name="redriver", daemon=True)
        self._app = app
        self._queues = frozenset(queues)
        self._stop_event = threading.Event()

    def run(self) -> None:
        """Notify in rounds until stopped; continue after an outage."""
        runtime = Runtime.from_environment()
        while not self._stop_event.is_set():
            with delayed_forks():
                self._round(runtime)
            self._stop_event.wait(runtime.settings.redrive_seconds)

    def _round(self, runtime: Runtime) -> None:
        try:
            notify_waiting(self._app, runtime, self._queues)
        except Exception as error:  # a round that fails must not end the rounds
            log.warning("re-driver: %s", scrub(str(error)).splitlines()[0])
        finally:
            runtime.close()

    def stop(self) -> None:
        """End the thread after its current round."""
        self._stop_event.set()
