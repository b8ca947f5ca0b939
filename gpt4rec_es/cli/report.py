"""``gpt4rec report``: pages for people, as HTML files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpt4rec_es.cli.context import get_runtime, get_settings
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import address, json_option, run_option
from gpt4rec_es.cli.output import emit, print_line

if TYPE_CHECKING:
    from gpt4rec_es.reports.write import Desk, Written
    from gpt4rec_es.runtime import Runtime

_OUTPUT = click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to, made if it does not exist. [default: GPT4REC_REPORTS_FOLDER, else "
    "reports]",
)
_PICTURES = click.option(
    "--pictures",
    metavar="URL",
    help="Show pictures of items, from a URL with {item_id} in it. Then the page needs a network. "
    "[default: GPT4REC_REPORTS_PICTURES, else none]",
)


@click.group()
def report() -> None:
    """Write pages about nights, users and measurements, as HTML files."""


@report.command()
@click.argument("run_id", default="latest", shell_complete=names("run"))
@click.option(
    "--mail-html", is_flag=True, help="Write a short version for mail instead, without users."
)
@_PICTURES
@_OUTPUT
@json_option
def night(
    run_id: str, mail_html: bool, pictures: str | None, folder: Path | None, as_json: bool
) -> None:
    """Write the page of RUN_ID (`latest`: the published run).

    Example: gpt4rec report night --output reports
    """
    from gpt4rec_es.reports.write import write_mail, write_night

    if mail_html and pictures:
        raise click.UsageError("--mail-html has no pictures: mail programs hide them.")
    write = write_mail if mail_html else write_night
    _emit(write(_desk(folder, pictures=pictures), run_id), as_json)


@report.command()
@_OUTPUT
@json_option
def index(folder: Path | None, as_json: bool) -> None:
    """Write the page of all nights, with links to the pages in its folder.

    Example: gpt4rec report index --output reports
    """
    from gpt4rec_es.reports.write import write_index

    _emit(write_index(_desk(folder)), as_json)


@report.command()
@click.argument("user_id")
@run_option
@_PICTURES
@_OUTPUT
@json_option
def user(
    user_id: str, run_id: str, pictures: str | None, folder: Path | None, as_json: bool
) -> None:
    """Write the page of USER_ID, an id as analysts see it: purchases, queries, list.

    Example: gpt4rec report user 16039 --output reports
    """
    from gpt4rec_es.reports.write import write_user

    _emit(write_user(_desk(folder, pictures=pictures), run_id, user_id), as_json)


@report.command()
@click.argument("first", shell_complete=names("run"))
@click.argument("second", default="latest", shell_complete=names("run"))
@_OUTPUT
@json_option
def diff(first: str, second: str, folder: Path | None, as_json: bool) -> None:
    """Write the page of run SECOND (`latest`: the published run) against FIRST.

    Example: gpt4rec report diff nightly-2026-11-27-1
    """
    from gpt4rec_es.reports.write import write_two_runs

    _emit(write_two_runs(_desk(folder), first, second), as_json)


@report.command()
@click.argument("numbers", nargs=-1, required=True, type=click.IntRange(min=1))
@_OUTPUT
@json_option
def evaluation(numbers: tuple[int, ...], folder: Path | None, as_json: bool) -> None:
    """Write the page of the evaluations NUMBERS: metrics with intervals, also by segment.

    The others are compared with the first, user by user.

    Example: gpt4rec report evaluation 1 2 3
    """
    from gpt4rec_es.reports.write import write_evaluations

    _emit(write_evaluations(_desk(folder), numbers), as_json)


@report.command()
@click.argument("trial", type=click.IntRange(min=1))
@_OUTPUT
@json_option
def tuning(trial: int, folder: Path | None, as_json: bool) -> None:
    """Write the page of TRIAL, of k1 and b or of recipes.

    Example: gpt4rec report tuning 1
    """
    from gpt4rec_es.reports.write import write_trial

    _emit(write_trial(_desk(folder), trial), as_json)


@report.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with the pages. [default: GPT4REC_REPORTS_FOLDER, else reports]",
)
@click.option(
    "--listen",
    default="127.0.0.1:9465",
    show_default=True,
    metavar="HOST:PORT",
    callback=address,
    help="Address and port to serve on. There is no password: use a private network.",
)
def serve(folder: Path | None, listen: tuple[str, int]) -> None:
    """Serve the pages of a folder over HTTP, read-only, until it is interrupted.

    Example: gpt4rec report serve --listen 127.0.0.1:9470
    """
    from gpt4rec_es.reports.serve import serving_pages

    host, port = listen
    chosen = folder or get_settings().reports_folder or Path("reports")
    with serving_pages(chosen, host, port) as (taken, thread):
        shown = f"[{host}]" if ":" in host else host
        sys.stderr.write(f"Serving pages on http://{shown}:{taken}/\n")
        thread.join()


def write_page(runtime: "Runtime", run_id: str, state: str) -> str | None:
    """Write the page of a night that a command published, if a folder is set; return its path."""
    from gpt4rec_es.reports.after_night import write_after_night

    written = write_after_night(
        runtime.reader_engine,
        runtime.engine,
        runtime.settings.reports_folder,
        run_id,
        state,
        pictures=runtime.settings.reports_pictures,
    )
    return written.path if written else None


def write_latest(runtime: "Runtime") -> "Written":
    """Write the page of the published night."""
    from gpt4rec_es.reports.write import write_night

    return write_night(_desk(None, runtime), "latest")


def _desk(
    folder: Path | None, runtime: "Runtime | None" = None, pictures: str | None = None
) -> "Desk":
    """Return a desk that writes to ``folder``, else to the folder of the settings."""
    from gpt4rec_es.options.item_pictures import ItemPictures
    from gpt4rec_es.reports.write import Desk

    runtime = runtime or get_runtime()
    settings = runtime.settings
    register = runtime.engine if settings.database_url else None
    chosen = folder or settings.reports_folder or Path("reports")
    items = settings.reports_pictures if pictures is None else ItemPictures.read(pictures)
    return Desk(runtime.reader_engine, chosen, register, items)


def _emit(written: "Written", as_json: bool) -> None:
    emit(written.as_dict(), as_json, lambda found: print_line(f"{found['says']} {found['path']}"))
