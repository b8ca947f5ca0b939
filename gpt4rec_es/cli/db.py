"""``gpt4rec db``: the schema of the database, for installations without a checkout."""

from pathlib import Path
from typing import Any

import click

from gpt4rec_es.cli.context import get_runtime, get_settings
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_line
from gpt4rec_es.errors import Gpt4RecError


@click.group()
def db() -> None:
    """Create, upgrade and check the database schema; write the data dictionary."""


@db.command()
@click.option("--dry-run", is_flag=True, help="Print the SQL that would run; run nothing.")
def upgrade(dry_run: bool) -> None:
    """Bring the schema to the newest version, as the owner (GPT4REC_OWNER_DATABASE_URL).

    Example: gpt4rec db upgrade --dry-run
    """
    from gpt4rec_es.db import migrate

    url = get_settings().require("owner_database_url")
    if dry_run:
        click.echo(migrate.upgrade_sql(url) or "-- nothing to do", nl=False)
        return
    version = migrate.upgrade(url)
    print_line(f"The database is at revision {version.revision}.")


@db.command()
@json_option
def current(as_json: bool) -> None:
    """Show the schema's revision and the revision this program needs.

    Example: gpt4rec db current
    """
    from gpt4rec_es.db import migrate

    version = migrate.current(get_settings().require("database_url"))
    shown = {
        "revision": version.revision,
        "head": version.head,
        "has_views": version.has_views,
        "is_current": version.is_current,
    }

    def render(found: dict[str, Any]) -> None:
        state = "up to date" if found["is_current"] else "run `gpt4rec db upgrade`"
        if found["revision"] == found["head"] and not found["has_views"]:
            state = f"other views; {state}"
        print_line(f"database {found['revision'] or 'empty'}, program {found['head']}: {state}")

    emit(shown, as_json, render)


@db.command()
@json_option
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Compare the schema with the tables and views in code; exit code 1 if they differ.

    Example: gpt4rec db check
    """
    from gpt4rec_es.db import migrate

    differences = migrate.check(get_settings().require("owner_database_url"))

    def render(found: list[str]) -> None:
        for difference in found or ["no differences"]:
            print_line(difference)

    emit(differences, as_json, render)
    if differences:
        ctx.exit(1)


@db.command()
@click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("docs/analytics.md"),
    show_default=True,
    help="Markdown document with the markers between which the dictionary is written.",
)
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="Fail if the document is out of date, without changing it.",
)
def dictionary(path: Path, only_check: bool) -> None:
    """Write the data dictionary of the analytics views into the document for analysts.

    Example: gpt4rec db dictionary --check
    """
    from gpt4rec_es.exports.data_dictionary import update_document

    changed = update_document(get_runtime().engine, path, write=not only_check)
    if changed and only_check:
        raise Gpt4RecError(f"{path} is out of date.", "Run `gpt4rec db dictionary`.")
    print_line(f"{path}: {'written' if changed else 'up to date'}")
