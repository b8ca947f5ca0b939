"""docs/cli.md, made from the commands themselves: ``python -m gpt4rec_es.cli.reference``."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from gpt4rec_es.cli.main import cli

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"
INTRODUCTION = """\
# Commands
Every command and option of `gpt4rec`, as `--help` prints them, each with an example. Most commands
that print data take `--json`, most that change data `--dry-run`.
`gpt4rec completion bash` completes names in a shell.
`make reference` writes this page from the program.
"""


def commands(
    command: click.Command = cli, path: tuple[str, ...] = ("gpt4rec",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield ``command`` and every visible command below it, each with its path of names."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from commands(found, (*path, name))


def render() -> str:
    """Return the whole page as Markdown."""
    return "\n".join([INTRODUCTION, *(_section(path, command) for path, command in commands())])


def _section(path: tuple[str, ...], command: click.Command) -> str:
    level = 2 if len(path) <= 2 else 3
    lines = [f"{'#' * level} {' '.join(path)}", *_paragraphs(command.help or "")]
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option)]
    if arguments:
        context = click.Context(command, info_name=path[-1])
        usage = " ".join(p.make_metavar(context) for p in arguments)
        lines.append(f"Arguments: `{usage}`\n")
    if options:
        lines += ["| option | meaning |", "|---|---|"]
        lines += [_row(command, option) for option in options]
        lines.append("")
    return "\n".join(lines)


def _row(command: click.Command, option: click.Option) -> str:
    names, meaning = option.get_help_record(click.Context(command)) or ("", "")
    return f"| `{_escape(names)}` | {_escape(meaning)} |"


def _escape(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a help text, each on one line, the example as code."""
    found = [" ".join(part.split()) for part in text.split("\n\n")]
    return [
        f"```\n{part.removeprefix('Example: ')}\n```\n"
        if part.startswith("Example: ")
        else f"{part}\n"
        for part in found
        if part
    ]


if __name__ == "__main__":
    DOCUMENT.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"{DOCUMENT.name}: written\n")
