"""Celery really runs with our configuration, not with its defaults."""

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.runtime import Runtime
from gpt4rec_es.settings import load_settings
from workers.config import celery_config, config_of

ENVIRON = {
    "CELERY_BROKER_URL": "redis://:secret@broker.example.org:6379/3",
    "GPT4REC_NIGHTLY_CRON": "30 1 * * mon",
    "GPT4REC_TIMEZONE": "Europe/Berlin",
}


def test_messages_are_a_doorbell() -> None:
    config = config_of(Runtime(load_settings(ENVIRON, env_file=None)))
    assert config["task_ignore_result"] is True
    assert config["task_acks_late"] is False
    assert config["accept_content"] == ["json"]
    assert config["timezone"] == "Europe/Berlin"
    nightly = config["beat_schedule"]["nightly"]["schedule"]
    assert (nightly.minute, nightly.hour, nightly.day_of_week) == ({30}, {1}, {1})
    assert all("expires" in entry["options"] for entry in config["beat_schedule"].values())


def test_the_application_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from celery import Celery  # noqa: PLC0415 - a fresh application, configured as ours is

    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    app = Celery("test")
    app.add_defaults(celery_config)
    assert app.conf.worker_concurrency == 1
    assert app.conf.task_default_queue == "retrieval"
    assert set(app.conf.beat_schedule) == {"nightly", "ensure", "redrive"}


def test_without_a_broker_it_says_so() -> None:
    with pytest.raises(UsageError, match="CELERY_BROKER_URL"):
        config_of(Runtime(load_settings({}, env_file=None)))
