"""The Celery application runs with the product's configuration."""

import copy
import datetime as dt
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
from celery import Celery

from gpt4rec_es.errors import DependencyError, UsageError
from gpt4rec_es.night.schedule import last_fire
from gpt4rec_es.runtime import Runtime
from gpt4rec_es.settings import load_settings
from workers import broker, drain
from workers.config import Nightly, celery_config, config_of
from workers.notify import ping

ENVIRON = {
    "CELERY_BROKER_URL": "redis://:secret@broker.example.org:6379/3",
    "GPT4REC_NIGHTLY_CRON": "30 1 * * mon",
    "GPT4REC_TIMEZONE": "Europe/Berlin",
}


def test_messages_need_no_results_or_late_acknowledgement() -> None:
    config = config_of(Runtime(load_settings(ENVIRON, env_file=None)))
    assert config["task_ignore_result"] is True
    assert config["task_acks_late"] is False
    assert config["accept_content"] == ["json"]
    assert config["timezone"] == "Europe/Berlin"
    nightly = config["beat_schedule"]["nightly"]["schedule"]
    assert (nightly.cron, nightly.timezone) == ("30 1 * * mon", "Europe/Berlin")
    assert all("expires" in entry["options"] for entry in config["beat_schedule"].values())


@pytest.mark.parametrize("now", ["2026-03-29T00:59:30", "2026-03-29T01:00:30", "2026-10-25T01:10"])
def test_beat_fires_when_a_night_is_due_for_runs_ensure(now: str) -> None:
    # Clocks went forward at 01:00 UTC, over 02:00 to 03:00, and back at that time in October.
    moment = dt.datetime.fromisoformat(f"{now}+00:00")
    nightly = Nightly("0 2 * * *", "Europe/Berlin")
    nightly.nowfun = lambda: moment
    fired = last_fire(nightly.cron, nightly.timezone, moment).astimezone(dt.UTC)
    assert nightly.is_due(fired - dt.timedelta(seconds=1)).is_due
    after = nightly.is_due(fired)
    assert not after.is_due
    upcoming = moment + dt.timedelta(seconds=after.next)
    assert last_fire(nightly.cron, nightly.timezone, upcoming) == upcoming > fired


def test_beat_can_copy_and_compare_the_schedule() -> None:
    nightly = Nightly("0 2 * * *", "UTC")
    assert copy.deepcopy(nightly) == nightly != Nightly("0 3 * * *", "UTC")
    assert len({nightly, copy.copy(nightly)}) == 1


def test_the_application_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from celery import Celery  # noqa: PLC0415 - a fresh application, configured as ours is

    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    app = Celery("test")
    app.add_defaults(celery_config)
    assert app.conf.worker_concurrency == 1
    assert app.conf.task_default_queue == "retrieval"
    assert set(app.conf.beat_schedule) == {"nightly", "ensure", "redrive", "quality"}


def test_without_a_broker_there_is_an_error() -> None:
    with pytest.raises(UsageError, match="CELERY_BROKER_URL"):
        config_of(Runtime(load_settings({}, env_file=None)))


@pytest.fixture
def silent_port() -> Iterator[int]:
    """The port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_broker_that_never_answers_is_given_up(
    scheme: str, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "_ANSWER_S", 1.0)
    started = time.monotonic()
    with pytest.raises(DependencyError, match="The broker cannot be reached"):
        ping(f"{scheme}://:x@127.0.0.1:{silent_port}/0")
    assert time.monotonic() - started < 30


def test_workers_connect_with_time_outs_verify_tls_and_survive_a_fail_over() -> None:
    environ = ENVIRON | {"CELERY_BROKER_URL": "rediss://:secret@broker.example.org/3"}
    config = config_of(Runtime(load_settings(environ, env_file=None)))
    assert config["broker_use_ssl"] == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    assert config["broker_transport_options"]["socket_timeout"] == 10
    assert config["broker_channel_error_retry"] is True
    assert config_of(Runtime(load_settings(ENVIRON, env_file=None)))["broker_use_ssl"] is False


@pytest.mark.parametrize("run_id", ["x" * 1_000_000, 7, None, ["a"]])
def test_a_message_without_the_id_of_a_run_is_declined_at_once(
    run_id: object, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "process_runtime", lambda: pytest.fail("nothing is opened"))
    drain.drain_queue(Celery(), "retrieval", run_id)  # type: ignore[arg-type]
    assert caplog.messages == ["declined: a message without the id of a run"]
