"""The ``gpt4rec`` command: imports the group, turns an error into one line and an exit code.

Groups are imported when one is called, and their short help stands here, so that ``gpt4rec --help``
and completion load nothing heavy. No command lives here but those that need no server at all.
"""

import difflib
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem, get_completion_class

from gpt4rec_es.cli.context import CliState
from gpt4rec_es.cli.errors import describe
from gpt4rec_es.logs import one_line, scrub, setup_logging
from gpt4rec_es.version import code_version

# name -> (module:attribute, short help), in the order of first use
COMMANDS = {
    "stack": (
        "stack:stack",
        "Start, stop and inspect local servers (Postgres, Elasticsearch, broker).",
    ),
    "db": ("db:db", "Create, upgrade and check the database schema; write the data dictionary."),
    "import": ("import_:import_", "Load catalog items and purchases from files."),
    "reindex": ("reindex:reindex", "Build a new search index from Postgres and make it live."),
    "index": ("index:index", "List, pin, prune and roll back index builds; set BM25 k1 and b."),
    "search": ("search:search", "Search the catalog with the query a night sends."),
    "split": ("split:split", "Split purchases into training, validation and test."),
    "train": ("train:train", "Train a query generator or a re-ranker."),
    "generators": (
        "generators:generators",
        "Register and list query generators; choose the one nights use.",
    ),
    "rerankers": (
        "rerankers:rerankers",
        "Register, list and show re-rankers; merge their adapters.",
    ),
    "encoders": ("encoders:encoders", "Register and remove encoders, for search by vectors."),
    "evaluate": (
        "evaluate:evaluate",
        "Measure recommenders on a split; list, show and compare the results.",
    ),
    "recipes": (
        "recipes:recipes",
        "List, compare, use, import and export recipes, which say how lists are made.",
    ),
    "rules": (
        "rules:rules",
        "Block, boost or pin items, brands and categories; list and remove rules.",
    ),
    "night": (
        "night:night",
        "Recommend for every user: plan, generate, search, merge, check, publish.",
    ),
    "runs": ("runs:runs", "Inspect, compare, publish, reject, roll back, pin and prune runs."),
    "quality": (
        "quality:quality",
        "Compare the lists of published nights with what users bought since.",
    ),
    "tune": ("tune:tune", "Choose BM25 k1 and b by a grid search on generated queries."),
    "replay": (
        "replay:replay",
        "Merge a stored run again with other settings and compare.",
    ),
    "queries": ("search:queries", "Find generated queries."),
    "why": ("why:why", "Explain the recommendations of one user."),
    "report": ("report:report", "Write pages about nights, users and measurements."),
    "export": ("export:export", "Export lists, queries or held-out items to a file."),
    "exporter": ("exporter:exporter", "Serve the metrics of nights to Prometheus."),
    "users": ("users:users", "Erase a user; choose the user ids that analysts see."),
    "config": ("config:config", "Show the settings."),
    "doctor": (
        "doctor:doctor",
        "Check servers, roles, builds, disks and settings; suggest remedies.",
    ),
    "demo": ("demo:demo", "Run all steps on a small set of real purchases."),
}


class LazyGroup(click.Group):
    """A group whose commands are those of ``COMMANDS``, imported when asked for by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command's name, in the order in which they are used."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, importing its module; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(
            importlib.import_module(f"gpt4rec_es.cli.{module}"), attribute
        )
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve as click does; suggest a command for an unknown name."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin with ``incomplete``, without importing any."""
        named = {name: text for name, (_, text) in COMMANDS.items()}
        named |= {name: command.get_short_help_str() for name, command in self.commands.items()}
        found = [
            CompletionItem(name, help=text)
            for name, text in named.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, without importing any."""
        own = [
            (name, self.commands[name].get_short_help_str(80))
            for name in super().list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()] + own)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"gpt4rec {code_version()}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    help="Lowest level of log lines to show. [default: GPT4REC_LOG_LEVEL, else WARNING]",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="Format of log lines. [default: GPT4REC_LOG_FORMAT, else text]",
)
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False),
    default=".env",
    show_default=True,
    help="File with settings, one VARIABLE=value per line; environment variables override it.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and the code's hash.",
)
@click.pass_context
def cli(
    ctx: click.Context, log_level: str | None, log_format: str | None, env_file: str, debug: bool
) -> None:
    """Recommendation by search: GPT-2 writes each user's next queries, Elasticsearch finds items.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 completed, but a check failed (a gate, the age
    of the lists, a replay), 4 a server cannot be reached, 130 interrupted.
    """
    chosen = ctx.get_parameter_source("env_file") is not ParameterSource.DEFAULT
    if chosen and env_file and not os.path.exists(env_file):  # noqa: PTH110 - also of a pipe
        raise click.BadParameter(f"there is no file {env_file!r}.", ctx, param_hint="--env-file")
    state = ctx.ensure_object(CliState)
    state.env_file, state.log_level, state.log_format = env_file, log_level, log_format
    state.debug = debug
    state.set_up_logging()
    ctx.call_on_close(state.close)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands in a shell.

    Example: eval "$(gpt4rec completion bash)"
    """
    complete = get_completion_class(shell)
    if complete is not None:  # always, for the three above
        click.echo(complete(cli, {}, "gpt4rec", "_GPT4REC_COMPLETE").source())


def run(args: Sequence[str]) -> int:
    """Run the command line ``args`` (without the program's name) and return the exit code."""
    state = CliState()
    try:
        result: Any = cli.main(list(args), "gpt4rec", standalone_mode=False, obj=state)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say(f"Interrupted. {state.resume}".strip())
        return 130
    except Exception as error:  # any error becomes one line and an exit code
        if state.debug:
            sys.stderr.write(scrub(traceback.format_exc()))
        code, line = describe(error)
        _say(f"Error: {line}")
        return code
    # Not standalone, click returns the code given to Context.exit, else the command's value.
    return result if type(result) is int else 0


def _say(line: str) -> None:
    sys.stderr.write(one_line(scrub(line)) + "\n")


def _stop(number: int, _frame: object) -> None:
    """Exit as after an error, so that a worker gives back its shard at once."""
    raise SystemExit(128 + number)


def main() -> None:
    """Run this process's command line and leave with its exit code."""
    signal.signal(signal.SIGTERM, _stop)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a title must not crash an ASCII locale
    setup_logging("WARNING")
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, less) has seen enough; leave nothing to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


if __name__ == "__main__":
    main()
