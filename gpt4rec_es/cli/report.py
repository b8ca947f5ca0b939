"""``gpt4rec report``: pages for people, as HTML files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_line

if TYPE_CHECKING:
    from sqlalchemy import Engine

_OUTPUT = click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to, made if it does not exist. [default: the setting, else ./reports]",
)


@click.group()
def report() -> None:
    """Write pages about nights, users and measurements, as HTML files."""


@report.command()
@click.argument("run_id", default="latest", shell_complete=names("run"))
@_OUTPUT
@json_option
def night(run_id: str, folder: Path | None, as_json: bool) -> None:
    """Write the page of RUN_ID (`latest`: the published run).

    Example: gpt4rec report night --output reports
    """
    from gpt4rec_es.reports.write import write_night

    _emit(write_night(_engine(), run_id, _folder(folder)).as_dict(), as_json)


def _engine() -> "Engine":
    return get_runtime().reader_engine


def _folder(given: Path | None) -> Path:
    return given or Path("reports")


def _emit(written: dict[str, Any], as_json: bool) -> None:
    emit(written, as_json, lambda found: print_line(f"{found['says']} {found['path']}"))
