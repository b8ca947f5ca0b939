"""Engines and the search client of one process, each created on first use from its settings.

Connections must not be shared with a forked child, which creates its own.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from gpt4rec_es.logs import register_secrets
from gpt4rec_es.settings import Settings

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch
    from sqlalchemy import Engine


class Connections:
    """Connections to every server in the settings; each is opened on first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._any_schema_engines: dict[str, Engine] = {}
        register_secrets(settings.secrets())

    @cached_property
    def engine(self) -> "Engine":
        """The writer's database engine; it refuses a schema older than this code."""
        return self._strict_engine("database_url", "gpt4rec")

    @cached_property
    def owner_engine(self) -> "Engine":
        """The schema owner's database engine; it refuses a schema older than this code."""
        return self._strict_engine("owner_database_url", "gpt4rec owner")

    @cached_property
    def exporter_engine(self) -> "Engine":
        """A read-only database engine with a short statement timeout, for scrapes."""
        return self._engine(
            "database_url",
            "gpt4rec exporter",
            pool_size=1,
            connect_timeout_s=2,
            lock_timeout_s=1,
            statement_timeout_s=2,
        ).execution_options(postgresql_readonly=True)

    @cached_property
    def analyst_engine(self) -> "Engine":
        """An analyst's database engine."""
        return self._engine("analyst_database_url", "gpt4rec analyst")

    @property
    def reader_engine(self) -> "Engine":
        """An engine for reads of the analysts' views: the analyst's if its URL is set."""
        return self.analyst_engine if self.settings.analyst_database_url else self.engine

    def any_schema_engine(self, name: str) -> "Engine":
        """Return an engine on the URL called ``name`` that accepts any schema, for inspection."""
        if name not in self._any_schema_engines:
            self._any_schema_engines[name] = self._engine(name, "gpt4rec doctor", pool_size=1)
        return self._any_schema_engines[name]

    def _strict_engine(self, name: str, application_name: str) -> "Engine":
        from gpt4rec_es.db.revision import require_schema

        return require_schema(self._engine(name, application_name))

    def _engine(self, name: str, application_name: str, **limits: Any) -> "Engine":
        from gpt4rec_es.db.engine import make_engine

        url = self.settings.require(name)
        return make_engine(url, application_name=application_name, **limits)

    @cached_property
    def elastic(self) -> "Elasticsearch":
        """The client of the search cluster."""
        from gpt4rec_es.elastic.client import make_client

        chosen = self.settings
        return make_client(
            chosen.require("elasticsearch_url"),
            api_key=chosen.elasticsearch_api_key,
            user=chosen.elasticsearch_user,
            password=chosen.elasticsearch_password,
            ca_file=str(chosen.elasticsearch_ca_file) if chosen.elasticsearch_ca_file else None,
            verify_tls=chosen.elasticsearch_verify_tls,
        )

    def close(self) -> None:
        """Close the opened connections; later use opens new ones."""
        for name in ("engine", "owner_engine", "analyst_engine", "exporter_engine"):
            if (engine := self.__dict__.pop(name, None)) is not None:
                engine.dispose()
        while self._any_schema_engines:
            self._any_schema_engines.popitem()[1].dispose()
        if (client := self.__dict__.pop("elastic", None)) is not None:
            client.close()
