"""State of one ``gpt4rec`` call: settings, logging and the Runtime.

Commands get theirs by :func:`get_runtime` or :func:`get_settings`; both work without the top
group as well, so a test can call a group by itself.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

import click

from gpt4rec_es.logs import setup_logging

if TYPE_CHECKING:
    from gpt4rec_es.runtime import Runtime
    from gpt4rec_es.settings import Settings


@dataclass
class CliState:
    """Global options and the objects built from them. None: the setting applies.

    resume: how to go on after an interrupt.
    """

    env_file: str = ".env"
    log_level: str | None = None
    log_format: str | None = None
    debug: bool = False
    resume: str = ""
    _runtime: "Runtime | None" = field(default=None, repr=False)

    def runtime(self) -> "Runtime":
        """Return the Runtime of this process, built from the environment at the first call."""
        if self._runtime is None:
            from gpt4rec_es.runtime import Runtime

            self._runtime = Runtime.from_environment(env_file=self.env_file)
            self.set_up_logging(self._runtime.settings)
        return self._runtime

    def set_up_logging(self, settings: "Settings | None" = None) -> None:
        """Set up log lines by the options, else by ``settings`` where they are set, else quietly.

        Progress bars tell a person at a terminal how far it is: INFO lines would tear them up.
        """
        chosen = settings.model_fields_set if settings else set()
        level, fmt = self.log_level, self.log_format
        if settings and level is None and "log_level" in chosen:
            level = settings.log_level
        if settings and fmt is None:
            fmt = settings.log_format
        setup_logging(level or "WARNING", cast("Literal['text', 'json']", fmt or "text"))

    def close(self) -> None:
        """Close the Runtime if one was built."""
        if self._runtime is not None:
            self._runtime.close()
            self._runtime = None


def _state() -> CliState:
    root = click.get_current_context().find_root()
    if not isinstance(root.obj, CliState):
        root.obj = CliState()
        root.call_on_close(root.obj.close)
    return root.obj


def after_interrupt(resume: str) -> None:
    """Let an interrupt of this command say how to go on."""
    _state().resume = resume


def get_runtime() -> "Runtime":
    """Return the Runtime of the command that runs.

    Raises:
        UsageError: a setting is wrong.
    """
    return _state().runtime()


def get_settings() -> "Settings":
    """Return the settings of the command that runs; those of a running local stack included.

    Raises:
        UsageError: a setting is wrong.
    """
    return _state().runtime().settings
