"""Composition root: builds engine, clients, generator and retriever from Settings, once each.

The only place below the command line and the workers that knows settings and the environment.
Everything is built when first asked for, so a command pays for what it uses. One Runtime belongs
to one process: build a new one after a fork.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gpt4rec_es.logs import register_secrets
from gpt4rec_es.records import Decoding
from gpt4rec_es.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine


class Runtime:
    """The parts of this process, by the settings it was given."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        register_secrets(settings.secrets())

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, env_file: str | Path | None = ".env"
    ) -> "Runtime":
        """Return a Runtime by the environment, the .env file and a running local stack.

        Raises:
            UsageError: one or more settings are wrong.
        """
        return cls(load_settings(environ, env_file))

    @cached_property
    def decoding(self) -> Decoding:
        """How queries are decoded."""
        chosen = self.settings
        return Decoding(
            num_queries=chosen.num_queries,
            num_beams=chosen.num_beams,
            max_new_tokens=chosen.max_new_tokens,
            length_penalty=chosen.length_penalty,
            early_stopping=chosen.early_stopping,
            similarity=chosen.similarity,
            dtype=chosen.dtype,
        )

    @cached_property
    def engine(self) -> "Engine":
        """The database engine of the writer."""
        from gpt4rec_es.db.engine import make_engine

        return make_engine(self.settings.require("database_url"), application_name="gpt4rec")

    @cached_property
    def owner_engine(self) -> "Engine":
        """The database engine of the owner of the schema: migrations and roles."""
        from gpt4rec_es.db.engine import make_engine

        return make_engine(
            self.settings.require("owner_database_url"), application_name="gpt4rec-owner"
        )

    def close(self) -> None:
        """Close the connections that were opened."""
        for name in ("engine", "owner_engine"):
            if (engine := self.__dict__.pop(name, None)) is not None:
                engine.dispose()
