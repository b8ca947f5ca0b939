"""Signal handlers of a worker: log format, and start and stop of its re-driver."""

from typing import Any

from celery.signals import setup_logging, worker_ready, worker_shutdown

from gpt4rec_es import logs
from workers.notify import Redriver
from workers.process import process_runtime

_redrivers: list[Redriver] = []


@setup_logging.connect
def on_setup_logging(**_: Any) -> None:
    """Use this program's log format instead of Celery's."""
    settings = process_runtime().settings
    logs.setup_logging(settings.log_level, settings.log_format)


@worker_ready.connect
def on_ready(sender: Any, **_: Any) -> None:
    """Start the re-driver for the queues that this worker reads."""
    redriver = Redriver(sender.app, list(sender.app.amqp.queues.consume_from))
    _redrivers.append(redriver)
    redriver.start()


@worker_shutdown.connect
def on_shutdown(**_: Any) -> None:
    """Stop the re-driver."""
    for redriver in _redrivers:
        redriver.stop()
