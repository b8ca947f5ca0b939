"""``gpt4rec stack``: local servers for laptops and tests. Production brings its own."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.stack_clients import chosen_folder, env, folder_option, psql

if TYPE_CHECKING:
    from gpt4rec_es.protocols import Progress
    from gpt4rec_es.stack import StackStatus


def _absolute(_: click.Context, __: click.Parameter, value: str) -> str:
    """Return a path that holds in another working folder too; keywords stay as they are."""
    return value if value in {"", "wheel", "system"} else str(Path(value).absolute())


def _port_option(name: str, title: str) -> Callable[[Any], Any]:
    return click.option(
        f"--{name}-port",
        type=click.IntRange(0, 65535),
        default=0,
        help=f"Port of {title}. [default: a free one, kept]",
    )


@click.group()
def stack() -> None:
    """Start, stop and inspect local servers (Postgres, Elasticsearch, broker)."""


@stack.command()
@folder_option
@json_option
@click.option(
    "--pg-bin",
    envvar="GPT4REC_PG_BIN",
    default="",
    callback=_absolute,
    help="Folder of the PostgreSQL programs, or 'wheel' or 'system'. [default: as before, or "
    "wheel]",
)
@click.option(
    "--broker-bin",
    envvar="GPT4REC_BROKER_BIN",
    default="",
    callback=_absolute,
    help="Path of valkey-server or redis-server, or 'wheel' or 'system'. [default: wheel]",
)
@click.option(
    "--java-home",
    envvar="ES_JAVA_HOME",
    type=click.Path(path_type=Path),
    help="Java installation for Elasticsearch. [default: that of 'java' on the PATH]",
)
@click.option(
    "--heap-mb",
    type=click.IntRange(256, 31_000),
    help="Heap of Elasticsearch in MB. [default: as before, or an eighth of the memory, 512 to "
    "2048]",
)
@click.option(
    "--account",
    default="",
    help="System account that runs the servers when started as root. [default: as before, or "
    "nobody]",
)
@_port_option("postgres", "PostgreSQL")
@_port_option("elasticsearch", "Elasticsearch")
@_port_option("broker", "the broker")
def up(folder: Path | None, as_json: bool, **choices: Any) -> None:
    """Download and start the servers that are not running; safe to repeat.

    Example: gpt4rec stack up --heap-mb 2048
    """
    import os

    from gpt4rec_es import stack as servers
    from gpt4rec_es.cli.output import emit

    start = servers.checkout(Path.cwd())
    chosen = chosen_folder(folder)
    options = servers.default_options(os.environ, **choices)
    with ExitStack() as bars:
        urls = servers.up(chosen, options, _download_bar(bars), _say)
    if chosen == servers.default_folder(start):
        servers.remember_folder(start, chosen)
    found = chosen == chosen_folder(None)

    def render(_: dict[str, str]) -> None:
        _print_status(servers.status(chosen))
        others = "Other commands find these servers by themselves"
        if not found:
            others = f"Set GPT4REC_STACK_FOLDER={chosen} for other commands to find these servers"
        click.echo(f"{others}; --json shows the addresses.")

    emit(urls.as_dict(), as_json, render)


@stack.command()
@folder_option
@click.option("--delete", is_flag=True, help="Remove the stack's data as well.")
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
def down(folder: Path | None, delete: bool, yes: bool) -> None:
    """Stop the servers that this stack started; nothing else is touched.

    Example: gpt4rec stack down
    """
    from gpt4rec_es import stack as servers

    chosen = chosen_folder(folder)
    if delete and not yes:
        click.confirm(f"Remove all data in {chosen}?", abort=True, err=True)
    stopped = servers.down(chosen, delete=delete)
    click.echo(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")
    if delete:
        start = servers.checkout(Path.cwd())
        if chosen == servers.default_folder(start):
            servers.forget_folder(start)
        click.echo(f"Removed the data in {chosen}.")


@stack.command()
@folder_option
@json_option
@click.pass_context
def status(ctx: click.Context, folder: Path | None, as_json: bool) -> None:
    """Show the state of each server; exit code 4 unless all are up.

    Example: gpt4rec stack status --json
    """
    from gpt4rec_es import stack as servers
    from gpt4rec_es.cli.output import emit

    chosen = chosen_folder(folder)
    found = servers.status(chosen)
    shown = {
        "folder": found.folder,
        "is_up": found.is_up,
        "servers": list(found.servers),
        "urls": servers.read_urls(chosen),
    }
    emit(shown, as_json, lambda _: _print_status(found))
    if not found.is_up:
        ctx.exit(4)


for _command in (psql, env):
    stack.add_command(_command)


def _download_bar(bars: ExitStack) -> "Progress":
    """Return a Progress whose bar appears with the first byte and goes with the last."""
    from gpt4rec_es.cli.progress import progress_bar
    from gpt4rec_es.protocols import no_progress

    bar: Progress = no_progress

    def progress(done: int, total: int | None) -> None:
        nonlocal bar
        if bar is no_progress:
            bar = bars.enter_context(progress_bar("Downloading Elasticsearch", "MB"))
        bar(done // 1_000_000, total and total // 1_000_000)
        if done == total:
            bars.close()

    return progress


def _print_status(found: "StackStatus") -> None:
    from gpt4rec_es.cli.output import print_line, print_table

    print_table(
        ["server", "state", "port", "pid"],
        [(server.name, server.state, server.port, server.pid) for server in found.servers],
    )
    print_line(f"Folder: {found.folder}")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
