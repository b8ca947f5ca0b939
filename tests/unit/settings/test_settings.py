import json
import os
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from gpt4rec_es.errors import UsageError
from gpt4rec_es.logs import scrub
from gpt4rec_es.options.gates import GateLimits
from gpt4rec_es.options.recipe import Recipe, flat
from gpt4rec_es.settings import VARIABLES, Settings, load_settings
from gpt4rec_es.settings import settings as module
from gpt4rec_es.settings.names import LIMITS, MOVED

STACK = {
    "DATABASE_URL": "postgresql+psycopg2://writer:stackpw@127.0.0.1:1/g",
    "GPT4REC_OWNER_DATABASE_URL": "postgresql+psycopg2://owner:ownerpw@127.0.0.1:1/g",
    "GPT4REC_ANALYST_DATABASE_URL": "postgresql+psycopg2://analyst:analystpw@127.0.0.1:1/g",
    "ELASTICSEARCH_URL": "http://127.0.0.1:2",
    "CELERY_BROKER_URL": "redis://:brokerpw@127.0.0.1:3/0",
}


def load(**environ: str) -> Settings:
    return load_settings(environ, env_file=None)


def refusal(**environ: str) -> str:
    with pytest.raises(UsageError) as caught:
        load(**environ)
    return str(caught.value)


def test_defaults_need_no_variable() -> None:
    settings = load()
    assert settings.database_url is None
    night = settings.night
    assert (night.k, night.depth, night.max_failures) == (10, None, 3)
    assert settings.elasticsearch_verify_tls is True
    assert settings.timezone == "UTC"
    assert settings.actor
    assert {settings.source_of(name) for name in VARIABLES} == {"default"}


def test_values_are_read_by_their_variable() -> None:
    settings = load(
        DATABASE_URL="postgres://u:p@h/d",
        ELASTICSEARCH_VERIFY_TLS="false",
        GPT4REC_K="25",
        GPT4REC_DEPTH="70",
        GPT4REC_EXCLUDE_BOUGHT="no",
        GPT4REC_GATE_LIMITS="failed=0.5",
        GPT4REC_TIMEZONE="Europe/Berlin",
        GPT4REC_NIGHTLY_CRON="*/15 1-3 * * MON,wed",
        GPT4REC_ACTOR="night-shift",
    )
    assert settings.database_url == settings.owner_database_url == "postgres://u:p@h/d"
    assert settings.elasticsearch_verify_tls is False
    assert (settings.night.k, settings.night.depth) == (25, 70)
    assert settings.night.exclude_bought is False
    assert settings.night.gate_limits.failed == 0.5
    assert settings.nightly_cron == "*/15 1-3 * * mon,wed"
    assert settings.source_of("GPT4REC_K") == "set"
    assert settings.source_of("GPT4REC_MAX_FAILURES") == "default"


def test_is_frozen() -> None:
    with pytest.raises(ValidationError):
        load().timezone = "UTC"  # type: ignore[misc]


def test_empty_value_counts_as_not_set() -> None:
    settings = load(GPT4REC_K=" ", ELASTICSEARCH_API_KEY="")
    assert (settings.night.k, settings.elasticsearch_api_key) == (10, None)


def test_variables_of_other_programs_are_left_alone() -> None:
    others = {
        "PATH": "/bin",
        "DATABASE_NAME": "x",
        "GPT4REC_TEST_KEEP": "1",
        "GPT4REC_PG_BIN": "/x",
    }
    assert load(**others) == load()


def test_all_faults_are_reported_at_once_and_name_the_variable() -> None:
    text = refusal(
        GPT4REC_K="0",
        GPT4REC_LOG_FORMAT="xml",
        GPT4REC_TIMEZONE="Mars/Olympus",
        GPT4REC_NIGHTLY_CRON="61 2 * * *",
        GPT4REC_MAX_FAILURS="4",
        CELERY_BROKER_URL="ftp://h",
    )
    assert "GPT4REC_K is '0': it should be greater than or equal to 1" in text
    assert "GPT4REC_LOG_FORMAT is 'xml': it should be 'text' or 'json'" in text
    assert "GPT4REC_TIMEZONE is 'Mars/Olympus': must be a known time zone" in text
    assert "GPT4REC_NIGHTLY_CRON is '61 2 * * *': is no cron line: bad minute" in text
    assert "GPT4REC_MAX_FAILURS is not a setting (did you mean GPT4REC_MAX_FAILURES?)" in text
    assert "CELERY_BROKER_URL: must look like redis://" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "line",
    [
        "-",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "5-1 * * * *",
        "*/0 * * * *",
        "1-2-3 * * * *",
        "a * * * *",
        "1, * * * *",
        "*/x * * * *",
    ],
)
def test_wrong_cron_line(line: str) -> None:
    assert "GPT4REC_NIGHTLY_CRON" in refusal(GPT4REC_NIGHTLY_CRON=line)


@pytest.mark.parametrize(
    "line", ["0 2 * * *", "*/5 0-23/2 1,15 jan-mar sun", "59 23 31 12 7", "5/10 * * * *"]
)
def test_right_cron_line(line: str) -> None:
    assert load(GPT4REC_NIGHTLY_CRON=line).nightly_cron == line


def test_unknown_variable_without_a_near_one() -> None:
    text = refusal(GPT4REC_XXXXXXXXXXXXXXXXXXXXXXXX="1")
    assert text.startswith("GPT4REC_XXXXXXXXXXXXXXXXXXXXXXXX is not a setting. ")


def test_user_without_password() -> None:
    text = refusal(ELASTICSEARCH_USER="elastic")
    assert "Set ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD both or neither" in text
    assert scrub(text) == text


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("DATABASE_URL", "mysql://u:canary-secret@h/d"),
        ("DATABASE_URL", "postgresql://u:canary-secret@h:port/d"),
        ("DATABASE_URL", "postgresql://u:canary-secret/x@h/d"),
        ("DATABASE_URL", "u:canary-secret@h/d"),
        ("ELASTICSEARCH_URL", "https://"),
        ("ELASTICSEARCH_URL", "https://[::1"),
        ("CELERY_BROKER_URL", "redis://"),
    ],
)
def test_wrong_url_is_named_but_not_repeated(variable: str, url: str) -> None:
    text = refusal(**{variable: url})
    assert f"{variable}: must look like" in text
    assert "canary-secret" not in text


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("DATABASE_URL", "postgresql:///night?host=/run/postgresql"),
        ("CELERY_BROKER_URL", "redis+socket:///run/valkey.sock"),
        ("CELERY_BROKER_URL", "amqp://u:p@h//"),
        ("ELASTICSEARCH_URL", "https://es.example:9200/prefix"),
    ],
)
def test_url_shapes_that_are_fine(variable: str, url: str) -> None:
    assert url in load(**{variable: url}).model_dump().values()


def test_required_url_that_is_missing() -> None:
    assert load(ELASTICSEARCH_URL="http://h").require("elasticsearch_url") == "http://h"
    with pytest.raises(UsageError, match=r"DATABASE_URL is not set.*gpt4rec stack up"):
        load().require("database_url")


def test_env_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    env_file = tmp_path / "night.env"
    env_file.write_text("GPT4REC_K=7\nexport GPT4REC_DEPTH=5\nOTHER=1\n# note\n")
    settings = load_settings({"GPT4REC_K": "9"}, env_file)
    assert (settings.night.k, settings.night.depth) == (9, 5)
    env_file.write_text("GPT4REC_TYPO=7\n")
    with pytest.raises(UsageError, match="GPT4REC_TYPO"):
        load_settings({}, env_file)


def test_dollar_in_an_env_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ELASTICSEARCH_API_KEY='a${HOME}b'\n")
    assert load_settings({}, tmp_path / ".env").elasticsearch_api_key == "a${HOME}b"


def test_missing_env_file_is_no_error(tmp_path: Path) -> None:
    assert load_settings({}, tmp_path / "none").night.k == 10


def test_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in os.environ:
        if variable.startswith("GPT4REC_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("GPT4REC_K", "6")
    assert load_settings(env_file=None).night.k == 6


class TestStack:
    def test_is_needed_while_a_url_is_missing(self) -> None:
        assert load(DATABASE_URL="postgresql://h/d").needs_stack
        assert not load_settings({}, None, STACK).needs_stack

    def test_fills_what_is_not_set(self) -> None:
        settings = load_settings({}, None, STACK)
        assert settings.database_url == STACK["DATABASE_URL"]
        assert settings.owner_database_url == STACK["GPT4REC_OWNER_DATABASE_URL"]
        assert settings.celery_broker_url == STACK["CELERY_BROKER_URL"]

    def test_set_url_wins_and_keeps_the_stack_out_of_what_belongs_to_it(self) -> None:
        mine = "postgresql://me:mine@db/prod"
        settings = load_settings({"DATABASE_URL": mine}, None, STACK)
        assert settings.database_url == settings.owner_database_url == mine
        assert settings.analyst_database_url is None
        assert settings.elasticsearch_url == STACK["ELASTICSEARCH_URL"]
        names = ("DATABASE_URL", "GPT4REC_ANALYST_DATABASE_URL", "ELASTICSEARCH_URL")
        assert [settings.source_of(name) for name in names] == ["set", "default", "stack"]

    def test_set_owner_wins_alone(self) -> None:
        mine = "postgresql://me:mine@db/prod"
        settings = load_settings({"GPT4REC_OWNER_DATABASE_URL": mine}, None, STACK)
        assert settings.owner_database_url == mine
        assert settings.database_url == STACK["DATABASE_URL"]


class TestSecrets:
    def settings(self) -> Settings:
        return load(
            DATABASE_URL="postgresql://writer:db%40hidden@h/d?sslpassword=ssl-hidden",
            ELASTICSEARCH_URL="https://es:es-hidden@h:9200",
            ELASTICSEARCH_API_KEY="key-hidden",
            CELERY_BROKER_URL="redis://:broker-hidden@h/0",
        )

    def test_masked_has_none(self) -> None:
        shown = self.settings().masked()
        assert "hidden" not in str(shown)
        assert shown["DATABASE_URL"] == "postgresql://writer:***@h/d?sslpassword=***"
        assert shown["ELASTICSEARCH_API_KEY"] == "***"
        assert shown["CELERY_BROKER_URL"] == "redis://:***@h/0"
        assert shown["GPT4REC_K"] == 10
        assert shown["ELASTICSEARCH_PASSWORD"] is None
        assert set(shown) == set(VARIABLES)

    def test_repr_has_none(self) -> None:
        assert "hidden" not in repr(self.settings())
        assert "hidden" not in str(self.settings())

    def test_all_are_told_to_the_scrubber(self) -> None:
        secrets = self.settings().secrets()
        for secret in ("db%40hidden", "db@hidden", "ssl-hidden", "es-hidden", "key-hidden"):
            assert secret in secrets


def test_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown_user() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(module.getpass, "getuser", unknown_user)
    assert load().actor == f"uid-{os.getuid()}"


def test_every_setting_is_documented_with_its_default() -> None:
    text = (Path(__file__).parents[3] / "docs" / "settings.md").read_text()
    documented = dict(re.findall(r"^\| `(\w+)` \| (?:`([^`]*)`)? ?\|", text, re.MULTILINE))
    defaults = {
        variable: "" if value is None else json.dumps(value).strip('"')
        for variable, value in Settings().masked().items()
    }
    assert documented == {**defaults, "GPT4REC_ACTOR": ""}


@pytest.mark.parametrize("name", MOVED)
def test_a_setting_that_moved_names_its_entry_of_the_recipe(name: str, tmp_path: Path) -> None:
    said = f"{name} is no setting any more: it is the entry {MOVED[name]} of the recipe"
    assert said in refusal(**{name: "1"})
    (tmp_path / ".env").write_text(f"{name}=1\n")
    with pytest.raises(UsageError, match=f"line 1: {name} is no setting any more"):
        load_settings({}, tmp_path / ".env")
    assert name not in VARIABLES


@pytest.mark.parametrize("name", LIMITS)
def test_a_setting_that_is_a_limit_of_gates_now_names_it(name: str) -> None:
    said = f"{name} is no setting any more: give its value as {LIMITS[name]}=... in GPT4REC_GATE"
    assert said in refusal(**{name: "1"})
    assert hasattr(GateLimits(), LIMITS[name])


def test_every_moved_setting_names_a_real_entry_and_few_are_left() -> None:
    assert set(MOVED.values()) <= flat(Recipe().as_document()).keys()
    assert len(VARIABLES) <= 48


def test_pictures_are_read_shown_and_refused_as_a_setting() -> None:
    name, url = "GPT4REC_REPORTS_PICTURES", "https://pictures.example/{item_id}.jpg"
    settings = load(GPT4REC_REPORTS_PICTURES=url)
    assert settings.reports_pictures is not None
    assert settings.reports_pictures.origin == "https://pictures.example"
    assert settings.masked()[name] == url
    assert load().masked()[name] is None
    assert f"{name} is 'all.jpg'" in refusal(GPT4REC_REPORTS_PICTURES="all.jpg")


def test_limits_of_the_price_must_agree() -> None:
    assert "GPT4REC_MAX_PRICE" in refusal(GPT4REC_MIN_PRICE="9", GPT4REC_MAX_PRICE="1")
    assert load(GPT4REC_MIN_PRICE="1", GPT4REC_MAX_PRICE="9").night.rules.max_price == 9


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("DATABASE_URL", "postgresql://u:p@h/d?pgbouncer=true", "no parameter pgbouncer"),
        ("DATABASE_URL", "postgresql://u:p@h/d?schema=shop", "no parameter schema"),
        ("DATABASE_URL", "postgresql://u:p@h/d?ssl=true", "write sslmode=require"),
        ("DATABASE_URL", "postgresql://u:canary@ss@h/d", "write @ : / ? # % in a password as %40"),
        ("CELERY_BROKER_URL", "redis://:canary@ss@h/0", "write @ : / ? # % in a password as %40"),
        ("CELERY_BROKER_URL", "redis://:x@h/abc", "must end with the number of a database"),
        ("ELASTICSEARCH_API_KEY", "canaryabc\r\ntailsecret", "copy it again, on one line"),
        ("ELASTICSEARCH_API_KEY", "canary\u00e9", "copy it again, on one line"),
        ("ELASTICSEARCH_CLOUD_ID", "shop:Zm9v", "is not read (set ELASTICSEARCH_URL"),
    ],
)
def test_values_that_a_client_would_refuse_later(variable: str, value: str, reason: str) -> None:
    text = refusal(**{variable: value})
    assert variable in text
    assert reason in text
    assert "hidden" not in text
    assert "tailsecret" not in text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@h/d?sslmode=require&application_name=x&target_session_attrs=read-write",
        "postgresql:///d?host=/run/postgresql",
        "postgresql://u:p%40ss@h/d",
    ],
)
def test_addresses_that_libpq_reads(url: str) -> None:
    assert load(DATABASE_URL=url).database_url == url


LINE = "GPT4REC_K=25"


@pytest.mark.parametrize(
    "content",
    [
        LINE.encode(),
        b"\xef\xbb\xbf" + LINE.encode(),
        f"# a comment\r\n\r\n{LINE}\r\n".encode(),
        f"export {LINE}".encode(),
        b'GPT4REC_K="25"',
        f"PGHOST=db\nCELERY_RESULT_BACKEND=x\nDATABASE_URL_RO=x\n{LINE}".encode(),
    ],
)
def test_an_env_file_is_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.env"
    path.write_bytes(content)
    assert load_settings({}, env_file=path).night.k == 25


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"A=1\nNAME: value\n", 2, "is not NAME=value"),
        (b"\n\n# c\nGPT4REC_K\n", 4, "is not NAME=value"),
        (b"gpt4rec_k=25", 1, "gpt4rec_k is not a setting (did you mean GPT4REC_K?)"),
        (b"DATABSE_URL=x", 1, "did you mean DATABASE_URL?"),
        (b"ELASTICSEARCH_CLOUD_ID=x", 1, "is not read"),
        ("A=1\nGPT4REC_ACTOR=J\u00fcrgen".encode("latin-1"), 2, "is not UTF-8"),
        (LINE.encode("utf-16"), 1, "the file is UTF-16"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes, line: int, reason: str
) -> None:
    path = tmp_path / "a.env"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_settings({}, env_file=path)
    assert f"{path} line {line}" in str(caught.value)
    assert reason in str(caught.value)
