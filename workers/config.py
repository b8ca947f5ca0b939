"""Celery's configuration from the settings; without results, late acknowledgement and chords.

A message says "drain run R"; the remaining work is stored in Postgres. So a lost message is sent
again, and a duplicate finds no work.
"""

import datetime as dt
from typing import Any

from celery.schedules import BaseSchedule, schedstate

from gpt4rec_es.night.schedule import next_fire
from gpt4rec_es.night.stages.advance import GENERATION, RETRIEVAL
from gpt4rec_es.runtime import Runtime
from workers.broker import connection_options


class Nightly(BaseSchedule):
    """Fires when ``gpt4rec runs ensure`` finds a night due.

    Celery's own crontab skips the night whose time is skipped where clocks go forward.
    """

    def __init__(self, cron: str, timezone: str) -> None:
        super().__init__()
        self.cron, self.timezone = cron, timezone

    def is_due(self, last_run_at: dt.datetime) -> schedstate:
        """Return whether it is due since ``last_run_at``, and the seconds until it fires next."""
        is_due = self.remaining_estimate(last_run_at) <= dt.timedelta(0)
        upcoming = self.remaining_estimate(self.now()) if is_due else None
        wait = upcoming or self.remaining_estimate(last_run_at)
        return schedstate(is_due=is_due, next=max(wait.total_seconds(), 0.0))

    def remaining_estimate(self, last_run_at: dt.datetime) -> dt.timedelta:
        """Return the time until it first fires after ``last_run_at``; negative: it is due."""
        return next_fire(self.cron, self.timezone, last_run_at) - self.now()

    def __reduce__(self) -> tuple[type["Nightly"], tuple[str, str]]:
        """Return the arguments to copy it, which beat does."""
        return Nightly, (self.cron, self.timezone)

    def __eq__(self, other: object) -> bool:
        """Return whether ``other`` fires at the same times; used by beat."""
        return isinstance(other, Nightly) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        """Return a hash consistent with ``__eq__``."""
        return hash(self.__reduce__())


def celery_config() -> dict[str, Any]:
    """Return Celery's configuration from the settings of this process."""
    return config_of(Runtime.from_environment())


def config_of(runtime: Runtime) -> dict[str, Any]:
    """Return Celery's configuration from ``settings``.

    Raises:
        UsageError: no broker is set and no local stack is running.
    """
    settings = runtime.settings
    url = settings.require("celery_broker_url")
    connection = connection_options(url)
    tick = float(settings.redrive_seconds)
    return {
        "broker_url": url,
        "broker_transport_options": connection["transport_options"],
        "broker_use_ssl": connection["ssl"],
        "broker_connection_timeout": 3,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A Redis that is read-only for a while, during a fail-over, answers requests with errors.
        "broker_channel_error_retry": True,
        "task_ignore_result": True,
        "task_acks_late": False,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_default_queue": RETRIEVAL,
        "task_routes": {
            "queries.*": {"queue": GENERATION},
            "recommendations.*": {"queue": RETRIEVAL},
            "schedule.ensure": {"queue": GENERATION},
            "schedule.redrive": {"queue": RETRIEVAL},
            "schedule.quality": {"queue": RETRIEVAL},
        },
        "worker_prefetch_multiplier": 1,
        # One child process, which loads the model once and is replaced after a number of tasks,
        # against memory leaks. For more throughput start more workers.
        "worker_concurrency": 1,
        "worker_max_tasks_per_child": 200,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": True,
        "timezone": settings.timezone,
        "enable_utc": True,
        # Beat stores no state: each `ensure` reads from Postgres which night is due.
        "beat_scheduler": "celery.beat:Scheduler",
        "beat_schedule": {
            "nightly": {
                "task": "schedule.ensure",
                "schedule": Nightly(settings.nightly_cron, settings.timezone),
                "options": {"expires": 3600.0},
            },
            "ensure": {
                "task": "schedule.ensure",
                "schedule": 300.0,
                "options": {"expires": 300.0},
            },
            # An age of lists may end without an import. Where nothing is due, this costs one query.
            "quality": {
                "task": "schedule.quality",
                "schedule": 3600.0,
                "options": {"expires": 3600.0},
            },
            "redrive": {
                "task": "schedule.redrive",
                "schedule": tick,
                "options": {"expires": tick},
            },
        },
    }
