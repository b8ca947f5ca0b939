"""``gpt4rec config``: show the settings in force, secrets masked."""

from typing import Any

import click

from gpt4rec_es.cli.context import get_runtime, get_settings
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_line, print_table


@click.group()
def config() -> None:
    """Show the settings."""


@config.command()
@json_option
def show(as_json: bool) -> None:
    """Show every setting with its variable and its origin, and the live recipe; secrets are masked.

    Origins: set (environment or .env file), stack (the running local stack), default.

    Example: gpt4rec config show
    """
    settings = get_settings()

    def render(shown: dict[str, Any]) -> None:
        print_table(
            ["variable", "value", "from"],
            [(name, value, settings.source_of(name)) for name, value in shown.items()],
        )
        print_line(f"live recipe: {_live_recipe() or 'unknown, since the database is not read'}")

    emit(settings.masked(), as_json, render)


def _live_recipe() -> str | None:
    """Return the name of the live recipe; None: there is no database, or it does not answer."""
    if get_settings().database_url is None:
        return None
    try:
        return get_runtime().recipe.name
    except Exception:
        return None
