"""``gpt4rec stack psql|env``: the local servers for other programs, and the stack's folder."""

import shlex
from pathlib import Path

import click

folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the stack's data. [default: GPT4REC_STACK_FOLDER, else .stack in the checkout, "
    "or a folder outside it that the servers' account can enter]",
)


@click.command(context_settings={"ignore_unknown_options": True})
@folder_option
@click.option(
    "--role",
    type=click.Choice(["analyst", "writer", "owner", "admin"]),
    default="analyst",
    show_default=True,
    help="Database role to connect as: analyst reads the views, writer runs nights, owner "
    "migrates.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(folder: Path | None, role: str, arguments: tuple[str, ...]) -> None:
    """Open psql on the local database; ARGUMENTS go to psql, such as -c "select 1".

    Example: gpt4rec stack psql --role analyst
    """
    import os

    from gpt4rec_es import stack as servers

    chosen = chosen_folder(folder)
    command, variables = servers.psql_command(chosen, role)
    # No shell and no child: psql takes this process over, with its terminal and signals.
    os.execve(command[0], [*command, *arguments], {**os.environ, **variables})  # noqa: S606


@click.command()
@folder_option
def env(folder: Path | None) -> None:
    """Print shell commands that set the addresses of the local servers, passwords included.

    With them, psql, curl and other programs reach the servers; gpt4rec finds them by itself.

    Example: eval "$(gpt4rec stack env)"
    """
    from gpt4rec_es import stack as servers

    for name, value in servers.shell_variables(chosen_folder(folder)).items():
        click.echo(f"export {name}={shlex.quote(value)}")


def chosen_folder(folder: Path | None) -> Path:
    """Return the stack's folder: the one named, by option or setting, else the usual one."""
    from gpt4rec_es import stack as servers
    from gpt4rec_es.cli.context import get_settings

    named = folder or get_settings().stack_folder
    return named or servers.default_folder(servers.checkout(Path.cwd()))
