"""What an operator can set, read once from the environment into one frozen object.

Only the command line, the workers, runtime.py and what it is built from (settings_options.py,
connections.py) read settings; everything below gets plain values. It must not connect to anything,
nor import what does. Set variables win over the .env file, and both over the servers of a running
local stack.
"""

import difflib
import getpass
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gpt4rec_es.errors import UsageError
from gpt4rec_es.masking import MASK, mask_url, secrets_of_url
from gpt4rec_es.options.minimum_should_match import canonical_requirements
from gpt4rec_es.settings.checks import check_cron, check_sources, check_timezone, url_check

_PREFIX = "GPT4REC_"
# Read by the test suite and by `gpt4rec stack up`: no settings, but no typing errors either.
_FOREIGN = ("GPT4REC_TEST_", "GPT4REC_PG_BIN", "GPT4REC_BROKER_BIN")
# Names that are usual across tools, so they carry no prefix of ours.
_WELL_KNOWN = (
    "database_url",
    "elasticsearch_url",
    "elasticsearch_api_key",
    "elasticsearch_user",
    "elasticsearch_password",
    "elasticsearch_ca_file",
    "elasticsearch_verify_tls",
    "celery_broker_url",
)
_URLS = (
    "database_url",
    "owner_database_url",
    "analyst_database_url",
    "elasticsearch_url",
    "celery_broker_url",
)
_SECRETS = ("elasticsearch_api_key", "elasticsearch_password")
# What belongs to one server: with its URL set, the stack's values for the others must not join in.
_BELONG_TO = {
    "owner_database_url": "database_url",
    "analyst_database_url": "database_url",
    "elasticsearch_api_key": "elasticsearch_url",
    "elasticsearch_user": "elasticsearch_url",
    "elasticsearch_password": "elasticsearch_url",
    "elasticsearch_ca_file": "elasticsearch_url",
}

_PostgresUrl = Annotated[
    str, AfterValidator(url_check("postgresql", "postgres", "postgresql+psycopg2"))
]
_HttpUrl = Annotated[str, AfterValidator(url_check("http", "https"))]
_BrokerUrl = Annotated[
    str, AfterValidator(url_check("redis", "rediss", "redis+socket", "amqp", "amqps", "memory"))
]
_Count = Annotated[int, Field(ge=1, le=10_000)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Batch = Annotated[int, Field(ge=1, le=1_000_000)]


def _os_user() -> str:
    """Return the name of the operating-system user; a container may have none for its uid."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


class Settings(BaseModel):
    """All settings; docs/settings.md says what each is for. URLs are None where not set."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: _PostgresUrl | None = Field(None, repr=False)
    owner_database_url: _PostgresUrl | None = Field(None, repr=False)
    analyst_database_url: _PostgresUrl | None = Field(None, repr=False)
    elasticsearch_url: _HttpUrl | None = Field(None, repr=False)
    elasticsearch_api_key: str | None = Field(None, repr=False)
    elasticsearch_user: str | None = None
    elasticsearch_password: str | None = Field(None, repr=False)
    elasticsearch_ca_file: Path | None = None
    elasticsearch_verify_tls: bool = True
    celery_broker_url: _BrokerUrl | None = Field(None, repr=False)

    index_alias: str = Field("items", pattern=r"^[a-z][a-z0-9-]{0,79}$")
    analyzer: str = Field("standard", pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,79}$")
    synonyms_file: Path | None = None
    forbidden_phrases_file: Path | None = None
    catalog_scripts_only: bool = False
    max_unknown_share: _Share = 1.0  # of a query's terms
    minimum_should_match: Annotated[str, AfterValidator(canonical_requirements)] | None = None
    exclude_bought: bool = True
    searches_per_second: float = Field(0, ge=0, le=1_000_000)  # 0: no limit
    documents_per_second: float = Field(0, ge=0, le=10_000_000)  # 0: no limit
    requests_in_flight: int = Field(2, ge=1, le=64)
    k: int = Field(10, ge=1, le=1000)
    depth: _Count | None = None  # hits first asked per query; None: 40 more than are looked at
    sources: Annotated[str, AfterValidator(check_sources)] = "queries"
    fusion: Literal["scores", "ranks"] = "scores"
    candidates: int = Field(100, ge=1, le=1000)
    fusion_history: int = Field(20, ge=1, le=1000)
    decay: float = Field(0.7, gt=0, le=1)
    query_hits: int = Field(3, ge=1, le=1000)
    query_decay: float = Field(1.0, gt=0, le=1)
    rank_constant: int = Field(60, ge=1, le=10_000)
    neighbours: int = Field(100, ge=1, le=1000)
    pair_history: int = Field(200, ge=2, le=1000)
    pair_decay: float = Field(0.8, gt=0, le=1)
    pair_backward: _Share = 0.3
    pair_popularity: _Share = 0.3
    pair_damping: float = Field(20.0, ge=0, le=1_000_000)

    min_price: float | None = Field(None, ge=0, allow_inf_nan=False)
    max_price: float | None = Field(None, ge=0, allow_inf_nan=False)
    only_categories: str | None = None  # several: separated by |
    max_per_brand: int | None = Field(None, ge=1, le=1000)
    not_shown_days: int = Field(0, ge=0, le=365)

    engine: Literal["shared", "reference"] = "shared"
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    dtype: Literal["fp32", "fp16"] = "fp32"
    threads: int = Field(0, ge=0, le=1024)  # 0: choose
    token_budget: int = Field(0, ge=0)  # token places x beams in a batch; 0: choose
    prompt_titles: int | None = Field(None, ge=1, le=1000)  # None: as the generator was trained
    num_queries: int = Field(10, ge=1, le=200)
    num_beams: int = Field(20, ge=1, le=200)
    max_new_tokens: int = Field(48, ge=2, le=512)
    length_penalty: float = Field(1.0, ge=-10, le=10, allow_inf_nan=False)
    early_stopping: bool = False
    similarity: float = Field(0.8, gt=0, le=1)

    generate_shard_size: _Batch = 256
    search_shard_size: _Batch = 2000
    merge_shard_size: _Batch = 1000
    lease_seconds: int = Field(60, ge=2, le=86_400)
    max_failures: int = Field(3, ge=1, le=100)
    redrive_seconds: int = Field(15, ge=1, le=3600)
    max_failed_share: _Share = 0.001
    min_full_share: _Share = 0.99
    daily_min_users: _Count = 1  # queries of fewer users have no sums
    max_published_age_hours: float = Field(26.0, gt=0, le=10_000)
    nightly_cron: Annotated[str, AfterValidator(check_cron)] = "0 2 * * *"
    timezone: Annotated[str, AfterValidator(check_timezone)] = "UTC"

    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    stack_folder: Path | None = None  # None: the stack chooses
    actor: str = Field(default_factory=_os_user, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _agree(self) -> "Settings":
        """Refuse values that are fine alone but not together."""
        if self.num_beams < self.num_queries:
            message = f"GPT4REC_NUM_BEAMS is {self.num_beams}: must be at least GPT4REC_NUM_QUERIES"
            raise ValueError(message)
        if self.max_price is not None and (self.min_price or 0) > self.max_price:
            message = f"GPT4REC_MIN_PRICE is {self.min_price}: must not be above GPT4REC_MAX_PRICE"
            raise ValueError(message)
        if (self.elasticsearch_user is None) != (self.elasticsearch_password is None):
            message = "ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD: set both or neither"
            raise ValueError(message)
        return self

    @property
    def needs_stack(self) -> bool:
        """Whether a URL is missing that a local stack could give."""
        return None in (self.database_url, self.elasticsearch_url, self.celery_broker_url)

    def require(self, name: str) -> str:
        """Return the URL called ``name``.

        Raises:
            UsageError: it is not set and no local stack runs.
        """
        value: str | None = getattr(self, name)
        if value is None:
            raise UsageError(
                f"{variable_of(name)} is not set and no local stack is running.",
                "Set it, or start local servers with `gpt4rec stack up`.",
            )
        return value

    def set_variables(self) -> set[str]:
        """Return the variables that were set, by hand or by a local stack; others have defaults."""
        return {variable_of(name) for name in self.model_fields_set}

    def secrets(self) -> list[str]:
        """Return every secret in these settings, for the log scrubber."""
        found = [value for name in _SECRETS if (value := getattr(self, name))]
        for name in _URLS:
            if url := getattr(self, name):
                found += secrets_of_url(url)
        return found

    def masked(self) -> dict[str, Any]:
        """Return variable name -> value as JSON can hold it, every secret replaced by ``***``."""
        shown = self.model_dump(mode="json")
        shown |= {name: MASK for name in _SECRETS if shown[name] is not None}
        shown |= {name: mask_url(shown[name]) for name in _URLS if shown[name] is not None}
        return {variable_of(name): value for name, value in shown.items()}


def variable_of(name: str) -> str:
    """Return the environment variable of the setting ``name``."""
    return name.upper() if name in _WELL_KNOWN else _PREFIX + name.upper()


def load_settings(
    environ: Mapping[str, str] | None = None,
    env_file: str | Path | None = ".env",
    stack_urls: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings of ``environ`` (None: this process), ``env_file`` and ``stack_urls``.

    ``stack_urls`` has variable names as keys. A missing ``env_file`` is no error, and an empty
    value counts as not set.

    Raises:
        UsageError: one or more values are wrong or unknown; all of them are named.
    """
    given = _given(env_file, os.environ if environ is None else environ)
    fields = {variable_of(name): name for name in Settings.model_fields}
    values = {fields[variable]: value for variable, value in given.items() if variable in fields}
    values |= {
        name: url
        for variable, url in (stack_urls or {}).items()
        if (name := fields[variable]) not in values and _BELONG_TO.get(name) not in values
    }
    faults = [_unknown(variable, fields) for variable in given if variable not in fields]
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        faults += _faults(error, values)
    if faults:
        raise UsageError("; ".join(faults) + ".", "docs/settings.md says what each may be.")
    if settings.owner_database_url is None and settings.database_url is not None:
        settings = settings.model_copy(update={"owner_database_url": settings.database_url})
    return settings


def _given(env_file: str | Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what is set of ours, the environment before the file, empty values left out."""
    from_file = dotenv_values(env_file, interpolate=False) if env_file else {}
    known = {variable_of(name) for name in Settings.model_fields}
    return {
        variable: value.strip()
        for variable, value in {**from_file, **environ}.items()
        if value is not None
        and value.strip()
        and (variable in known or variable.startswith(_PREFIX))
        and not variable.startswith(_FOREIGN)
    }


def _unknown(variable: str, fields: Mapping[str, str]) -> str:
    close = difflib.get_close_matches(variable, fields, n=1)
    return f"{variable} is not a setting" + (f" (did you mean {close[0]}?)" if close else "")


def _faults(error: ValidationError, values: Mapping[str, str]) -> Iterator[str]:
    """Yield one phrase per wrong value: the variable, the value unless secret, what is allowed."""
    for fault in error.errors(include_url=False, include_context=False):
        allowed = fault["msg"].removeprefix("Value error, ").replace("Input should", "it should")
        if not fault["loc"]:
            yield allowed
            continue
        name = str(fault["loc"][0])
        hidden = name in _SECRETS or name in _URLS
        value = "" if hidden else f" is {values[name]!r}"
        yield f"{variable_of(name)}{value}: {allowed}"
