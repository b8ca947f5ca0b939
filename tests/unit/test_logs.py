import io
import json
import logging
import sys
import threading
import time
import warnings
from collections.abc import Iterator

import psycopg2
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from gpt4rec_es import logs
from gpt4rec_es.logs import log_context, one_line, register_secrets, scrub, setup_logging
from gpt4rec_es.masking import secrets_of_url
from gpt4rec_es.settings import load_settings

log = logging.getLogger("gpt4rec_es.test")


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restore logging, hooks and registered secrets."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(logs, "_known", set())
    monkeypatch.setattr(logs, "_known_pattern", None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


class TestLines:
    def test_event_keys_run_and_task(self) -> None:
        stream = io.StringIO()
        setup_logging("INFO", "text", stream)
        with log_context(run="nightly-1"):
            with log_context(task="t-9"):
                log.info("shard done", extra={"shard": 3, "took": "2 s"})
            log.info("after")
        log.info("outside")
        first, second, third = lines(stream)
        time, rest = first.split(" ", 1)
        assert time.endswith("+00:00")
        assert rest == 'INFO gpt4rec_es.test shard done shard=3 took="2 s" run=nightly-1 task=t-9'
        assert second.endswith("after run=nightly-1")
        assert third.endswith("outside")

    def test_json(self) -> None:
        stream = io.StringIO()
        setup_logging("INFO", "json", stream)
        with log_context(run="r", task="t"):
            log.warning("odd %s", "value", extra={"n": 2, "part": None, "ok": True})
        (line,) = lines(stream)
        data = json.loads(line)
        assert data.pop("time").endswith("+00:00")
        assert data == {
            "level": "WARNING",
            "logger": "gpt4rec_es.test",
            "event": "odd value",
            "n": 2,
            "ok": True,
            "run": "r",
            "task": "t",
        }

    @pytest.mark.parametrize("fmt", ["text", "json"])
    def test_one_line_whatever_is_in_it(self, fmt: str) -> None:
        stream = io.StringIO()
        setup_logging("INFO", fmt, stream)  # type: ignore[arg-type]
        try:
            raise ValueError("first\nsecond \x1b[31m\u202e")
        except ValueError:
            log.exception("failed\r\n2026-01-01 INFO forged", extra={"title": "a\nb\x85c"})
        assert len(stream.getvalue().splitlines()) == 1
        assert "Traceback" in stream.getvalue()
        assert not set("\x1b\x85\u202e\r") & set(stream.getvalue())

    def test_again_replaces_the_first(self) -> None:
        first, second = io.StringIO(), io.StringIO()
        setup_logging("INFO", "text", first)
        setup_logging("ERROR", "text", second)
        log.info("quiet")
        log.error("loud")
        assert first.getvalue() == ""
        assert len(lines(second)) == 1

    def test_default_stream_is_whatever_stderr_is_now(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        setup_logging("INFO")
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        log.info("above the bar")
        assert "above the bar" in stream.getvalue()

    def test_arguments_that_do_not_fit_are_not_printed(self) -> None:
        stream = io.StringIO()
        setup_logging("INFO", "text", stream)
        logging.getLogger().handlers[:] = logging.getLogger().handlers[-1:]
        log.info("wrong %d", "canary")
        assert stream.getvalue().endswith("wrong %d (its arguments do not fit)\n")

    def test_a_closed_stderr_is_no_crash(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Broken(io.StringIO):
            def write(self, text: str) -> int:
                raise BrokenPipeError

        setup_logging("INFO")
        monkeypatch.setattr(sys, "stderr", Broken())
        log.info("unheard")

    def test_warnings_and_uncaught_errors_are_lines_too(self) -> None:
        stream = io.StringIO()
        setup_logging("INFO", "text", stream)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("unverified https://u:canary@h", stacklevel=1)

        def fail() -> None:
            raise RuntimeError("password=canary")

        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        try:
            fail()
        except RuntimeError as error:
            sys.excepthook(type(error), error, error.__traceback__)
        assert len(lines(stream)) == 3
        assert "canary" not in stream.getvalue()
        assert stream.getvalue().count("RuntimeError: password=***") == 2

    def test_a_thread_that_ends_without_an_error_value(self) -> None:
        stream = io.StringIO()
        setup_logging("INFO", "text", stream)
        threading.excepthook(threading.ExceptHookArgs((SystemError, None, None, None)))
        assert stream.getvalue() == ""


SECRET_TEXTS = [
    "postgresql+psycopg2://writer:canary@h:5432/d",
    "postgresql://writer:can@canary/x@h/d failed",
    "amqp://guest:canary@mq//",
    "connect to redis://:canary@h/0",
    "host=h password=canary dbname=d",
    "password = 'can canary' host=h",
    "{'password': 'canary', 'host': 'h'}",
    '{"api_key": "canary"}',
    "ELASTICSEARCH_API_KEY=canary",
    "ELASTICSEARCH_PASSWORD: canary",
    "GET https://h/_search?api-key=canary&x=1",
    "Authorization: ApiKey Y2FuYXJ5canary==",
    "authorization: Basic dXNlcjpjYW5hcnk6canary",
    "Bearer abc.canary.def",
    "ALTER ROLE writer PASSWORD 'it''s canary'",
    "CREATE ROLE x LOGIN password 'canary'",
    'invalid integer value "canary" for connection option "port"',
    'could not translate host name "canary@h" to address',
    'invalid percent-encoded token: "canary%zz"',
    "invalid literal for int() with base 10: 'canary@h'",
]


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_scrub_knows_secrets_by_their_looks(text: str) -> None:
    assert "canary" not in scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        'FATAL: password authentication failed for user "writer"',
        "https://shop.example/items?page=2",
        "tokens=48 token=7 title='Basic black dress'",
        "mail to a@b.example",
        "12:30 done, see http://127.0.0.1:9200/_cat",
    ],
)
def test_scrub_leaves_other_text_alone(text: str) -> None:
    assert scrub(text) == text


def test_registered_secrets_go_wherever_they_stand_as_a_word() -> None:
    register_secrets(["test", "s3cret/x", ""])
    assert scrub("the test failed at s3cret/x.") == "the *** failed at ***."
    assert scrub("latest testing") == "latest testing"
    register_secrets(["other"])
    assert scrub("test other") == "*** ***"


def test_no_secret_at_all_to_register() -> None:
    register_secrets(["abc"])  # too short to be searched for
    assert scrub("abc") == "abc"


@pytest.mark.parametrize(
    "password",
    ["can:canary", "can@canary", "can/canary", "can#canary", "can%canary", "can?canary", "[canary"],
)
@pytest.mark.parametrize("fmt", ["text", "json"])
def test_malformed_database_url_does_not_get_into_the_log(password: str, fmt: str) -> None:
    """Errors of libpq and SQLAlchemy about a URL print parts of it, the password among them."""
    url = f"postgresql+psycopg2://writer:{password}@127.0.0.1:1/d"
    register_secrets(secrets_of_url(url))
    stream = io.StringIO()
    setup_logging("DEBUG", fmt, stream)  # type: ignore[arg-type]
    for connect in (
        lambda: psycopg2.connect(url.replace("+psycopg2", ""), connect_timeout=2),
        lambda: create_engine(url, connect_args={"connect_timeout": 2}).connect(),
    ):
        try:
            connect()
        except (psycopg2.Error, SQLAlchemyError, ValueError) as error:
            log.exception("cannot connect: %s", error)
    assert len(lines(stream)) == 2
    assert "canary" not in stream.getvalue()


def test_secret_in_extras_and_arguments() -> None:
    stream = io.StringIO()
    setup_logging("INFO", "json", stream)
    settings = load_settings(
        {"ELASTICSEARCH_API_KEY": 'quo"te-canary', "DATABASE_URL": "postgresql://u:pw-canary@h/d"},
        None,
    )
    register_secrets(settings.secrets())
    log.info("key %s", 'quo"te-canary', extra={"password": "zzz", "url": "pw-canary"})
    data = json.loads(stream.getvalue())
    assert data["event"] == "key ***"
    assert (data["password"], data["url"]) == ("***", "***")
    stream.truncate(0)
    stream.seek(0)
    setup_logging("INFO", "text", stream)
    log.info("key %s", 'quo"te-canary', extra={"password": "zzz", "reason": 'a quo"te-canary'})
    assert "canary" not in stream.getvalue()
    assert "password=***" in stream.getvalue()


def test_one_line_keeps_ordinary_text() -> None:
    assert one_line("Straße 5 ½ ok") == "Straße 5 ½ ok"
    assert one_line("a\tb\nc\x1b\u2028") == "a\\tb\\nc\\x1b\\u2028"


@pytest.mark.parametrize(
    "text",
    [
        "x" * 80_000,
        "a-" * 40_000,
        "a:" * 40_000,
        "a://b:" * 13_333,
        "h://a:" + "b" * 80_000,
        "://" * 27_000,
        'password="' * 8_000,
        "password='password=\"" * 4_000,
        "password '" * 8_000,
        "password" + " " * 80_000,
        ("password" + " " * 100) * 800,
        "apikey " * 12_000,
        "host name 'xxx" * 6_000,
    ],
)
def test_a_long_text_is_scrubbed_in_linear_time_and_cut(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(scrub(text)) < 20_100
    monkeypatch.setattr(logs, "_LONGEST", 1_000_000)
    started = time.process_time()
    scrub(text)
    assert time.process_time() - started < 2  # a quadratic pattern takes 20 s


def test_a_secret_at_the_cut_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_LONGEST", 30)
    assert "geheim" not in scrub("x" * 10 + " redis://:geheim-and-more@host " + "y" * 50)


def test_a_secret_of_two_lines_is_known_in_parts() -> None:
    register_secrets(["abcdefgh\r\ntailsecret123"])
    assert "tailsecret" not in scrub("Invalid header value b'ApiKey abcdefgh\\r\\ntailsecret123'")
    assert "tailsecret" not in scrub("the rest is tailsecret123")


def test_placeholders_of_hints_are_no_secrets() -> None:
    for text in (
        "Write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE.",
        "must look like redis://user:password@host:port/name",
    ):
        assert scrub(text) == text
