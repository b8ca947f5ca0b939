"""Settings, read once from the environment into one frozen object.

Only the command line, the workers, runtime.py and connections.py read settings; lower layers get
plain values. Option records of the stages, nested here, hold the only copy of their defaults.
Environment variables override the .env file, and both override the servers of a running stack.
"""

import getpass
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from gpt4rec_es.errors import UsageError
from gpt4rec_es.masking import MASK, mask_url, secrets_of_url
from gpt4rec_es.options.item_pictures import ItemPictures
from gpt4rec_es.options.night import GeneratorOptions, NightOptions
from gpt4rec_es.settings.checks import (
    check_broker_database,
    check_cron,
    check_header_text,
    check_postgres_options,
    check_timezone,
    url_check,
)
from gpt4rec_es.settings.env_file import read_env_file
from gpt4rec_es.settings.faults import faults_of
from gpt4rec_es.settings.names import FOREIGN, misnamed, not_read, unknown
from gpt4rec_es.settings.variables import (
    BELONG_TO,
    PREFIX,
    SECRETS,
    TEXTS,
    URLS,
    nested,
    value_at,
    variables_of,
)

_PostgresUrl = Annotated[
    str,
    AfterValidator(url_check("postgresql", "postgres", "postgresql+psycopg2")),
    AfterValidator(check_postgres_options),
]
_HttpUrl = Annotated[str, AfterValidator(url_check("http", "https"))]
_BrokerUrl = Annotated[
    str,
    AfterValidator(url_check("redis", "rediss", "redis+socket", "amqp", "amqps", "memory")),
    AfterValidator(check_broker_database),
]


def _os_user() -> str:
    """Return the name of the operating-system user; a container may have none for its uid."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def _as_value_error(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Turn a UsageError of an option record into a ValueError, which pydantic collects."""
    try:
        return validate(value)
    except UsageError as error:
        raise ValueError(error.message) from error


class Settings(BaseModel):
    """All settings, documented in docs/settings.md. A URL that is not set is None."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: _PostgresUrl | None = Field(None, repr=False)
    owner_database_url: _PostgresUrl | None = Field(None, repr=False)
    analyst_database_url: _PostgresUrl | None = Field(None, repr=False)
    elasticsearch_url: _HttpUrl | None = Field(None, repr=False)
    elasticsearch_api_key: Annotated[str, AfterValidator(check_header_text)] | None = Field(
        None, repr=False
    )
    elasticsearch_user: str | None = None
    elasticsearch_password: str | None = Field(None, repr=False)
    elasticsearch_ca_file: Path | None = None
    elasticsearch_verify_tls: bool = True
    endpoint_api_key: Annotated[str, AfterValidator(check_header_text)] | None = Field(
        None, repr=False
    )
    celery_broker_url: _BrokerUrl | None = Field(None, repr=False)

    index_alias: str = Field("items", pattern=r"^[a-z][a-z0-9-]{0,79}$")
    index_replicas: int = Field(0, ge=0, le=100)
    analyzer: str = Field("standard", pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,79}$")
    synonyms_file: Path | None = None
    forbidden_phrases_file: Path | None = None
    searches_per_second: float = Field(0, ge=0, le=1_000_000)  # 0: no limit
    documents_per_second: float = Field(0, ge=0, le=10_000_000)  # 0: no limit
    requests_in_flight: int = Field(2, ge=1, le=64)

    night: Annotated[NightOptions, WrapValidator(_as_value_error)] = Field(
        default_factory=NightOptions
    )
    generator: GeneratorOptions = Field(default_factory=GeneratorOptions)

    redrive_seconds: int = Field(15, ge=1, le=3600)
    max_published_age_hours: float = Field(26.0, gt=0, le=10_000)
    nightly_cron: Annotated[str, AfterValidator(check_cron)] = "0 2 * * *"
    timezone: Annotated[str, AfterValidator(check_timezone)] = "UTC"

    reports_folder: Path | None = None  # None: no page after a night is published
    reports_pictures: ItemPictures | None = None  # None: pages load nothing
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    stack_folder: Path | None = None  # None: the stack chooses
    actor: str = Field(default_factory=_os_user, min_length=1, max_length=200)

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _agree(self) -> "Settings":
        """Refuse valid values that exclude each other."""
        if (self.elasticsearch_user is None) != (self.elasticsearch_password is None):
            message = "Set ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD both or neither"
            raise ValueError(message)
        return self

    @property
    def needs_stack(self) -> bool:
        """Whether a URL is missing that a local stack can supply."""
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

    def source_of(self, variable: str) -> str:
        """Return where the value of ``variable`` is from: set, stack or default."""
        return self._sources.get(variable, "default")

    def secrets(self) -> list[str]:
        """Return every secret in these settings, for the log scrubber."""
        found = [value for name in SECRETS if (value := getattr(self, name))]
        for name in URLS:
            if url := getattr(self, name):
                found += secrets_of_url(url)
        return found

    def masked(self) -> dict[str, Any]:
        """Return variable name -> value as JSON can hold it, every secret replaced by ``***``."""
        return {variable: self._shown(path) for variable, path in VARIABLES.items()}

    def _shown(self, path: tuple[str, ...]) -> Any:
        value = value_at(self, path)
        if path[-1] in SECRETS and value is not None:
            return MASK
        if path[-1] in URLS and value is not None:
            return mask_url(value)
        text_of = TEXTS.get(path[-1])
        return text_of.write(value) if text_of else str(value) if isinstance(value, Path) else value


VARIABLES = variables_of(Settings)


def variable_of(name: str) -> str:
    """Return the environment variable of the setting ``name``, at the top of ``Settings``."""
    return next(variable for variable, path in VARIABLES.items() if path == (name,))


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
    ours = {variable: text for variable, text in given.items() if variable in VARIABLES}
    sources = dict.fromkeys(ours, "set")
    for variable, url in (stack_urls or {}).items():
        owner = BELONG_TO.get(VARIABLES[variable][-1])
        if variable not in ours and (owner is None or variable_of(owner) not in given):
            ours[variable], sources[variable] = url, "stack"
    faults = [unknown(variable, VARIABLES) for variable in given if variable not in VARIABLES]
    faults += not_read(os.environ if environ is None else environ)
    values: dict[tuple[str, ...], Any] = {}
    for variable, text in ours.items():
        path = VARIABLES[variable]
        try:
            values[path] = TEXTS[path[-1]].read(text) if path[-1] in TEXTS else text
        except ValueError as error:
            faults.append(f"{variable} is {text!r}: {error}")
    try:
        settings = Settings.model_validate(nested(values))
    except ValidationError as error:
        faults += faults_of(error, ours, VARIABLES)
    if faults:
        raise UsageError("; ".join(faults) + ".", "docs/settings.md lists the allowed values.")
    if settings.owner_database_url is None and settings.database_url is not None:
        settings = settings.model_copy(update={"owner_database_url": settings.database_url})
    settings._sources = sources  # noqa: SLF001 -- an attribute of this module's own class
    return settings


def _given(env_file: str | Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what is set of ours, the environment before the file, empty values left out."""
    from_file = read_env_file(env_file, partial(misnamed, known=VARIABLES)) if env_file else {}
    return {
        variable: value.strip()
        for variable, value in {**from_file, **environ}.items()
        if value is not None
        and value.strip()
        and (variable in VARIABLES or variable.startswith(PREFIX))
        and not variable.startswith(FOREIGN)
    }
