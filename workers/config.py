"""Celery's settings from ours: a doorbell needs no results, no late acknowledgement, no chords.

A message says "drain run R"; what is left to do stands in Postgres. So a lost message is rung
again and a doubled one finds nothing to do, whatever broker and whatever dies.
"""

from typing import Any

from celery.schedules import crontab

from gpt4rec_es.night.stages.doorbell import GENERATION, RETRIEVAL
from gpt4rec_es.runtime import Runtime


def celery_config() -> dict[str, Any]:
    """Return Celery's configuration by the settings of this process."""
    return config_of(Runtime.from_environment())


def config_of(runtime: Runtime) -> dict[str, Any]:
    """Return Celery's configuration by our settings.

    Raises:
        UsageError: no broker is set and no local stack is running.
    """
    settings = runtime.settings
    minute, hour, day, month, weekday = settings.nightly_cron.split()
    tick = float(settings.redrive_seconds)
    return {
        "broker_url": settings.require("celery_broker_url"),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
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
        },
        "worker_prefetch_multiplier": 1,
        # One process: the model is loaded once, in the child, and the child is renewed now and
        # then against leaks. More throughput is more workers.
        "worker_concurrency": 1,
        "worker_max_tasks_per_child": 200,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": True,
        "timezone": settings.timezone,
        "enable_utc": True,
        # Beat remembers nothing: which night is due is asked of Postgres by every `ensure`.
        "beat_scheduler": "celery.beat:Scheduler",
        "beat_schedule": {
            "nightly": {
                "task": "schedule.ensure",
                "schedule": crontab(minute, hour, weekday, day, month),
                "options": {"expires": 3600.0},
            },
            "ensure": {
                "task": "schedule.ensure",
                "schedule": 300.0,
                "options": {"expires": 300.0},
            },
            "redrive": {
                "task": "schedule.redrive",
                "schedule": tick,
                "options": {"expires": tick},
            },
        },
    }
