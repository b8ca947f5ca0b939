"""``gpt4rec generators``: register, list and choose query generators."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import dry_run_option, json_option
from gpt4rec_es.cli.output import emit, print_line, print_table
from gpt4rec_es.errors import UsageError

if TYPE_CHECKING:
    from gpt4rec_es.db.rows.generators import Generator
    from gpt4rec_es.generation.endpoint import Endpoint
    from gpt4rec_es.generation.registry import GeneratorCard


@click.group()
def generators() -> None:
    """Register, list and show query generators; choose the one nights use."""


@generators.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the registered generators, oldest first.

    Example: gpt4rec generators list
    """
    from gpt4rec_es.generation.registry import list_generators

    emit(list_generators(get_runtime().engine), as_json, _print_rows)


@generators.command()
@click.argument("name", shell_complete=names("generator"))
@dry_run_option
@json_option
def use(name: str, dry_run: bool, as_json: bool) -> None:
    """Use the generator NAME from the next night on, after checking its files.

    Example: gpt4rec generators use second
    """
    from gpt4rec_es.generation.registry import use_generator
    from gpt4rec_es.recipes.live import warn_of_generator

    runtime = get_runtime()
    settings = runtime.settings
    row = use_generator(
        runtime.engine,
        name,
        actor=settings.actor,
        api_key=settings.endpoint_api_key,
        dry_run=dry_run,
    )
    warn_of_generator(runtime.engine, row)
    verb = "would be" if dry_run else "is"
    emit(row, as_json, lambda row: print_line(f"{row.name} {verb} used by the next night."))


@generators.command()
@click.argument("name", shell_complete=names("generator"))
@json_option
def show(name: str, as_json: bool) -> None:
    """Show the card of the generator NAME: network, training, licence, cost and some queries.

    Example: gpt4rec generators show first
    """
    from gpt4rec_es.generation.registry import show_generator

    emit(show_generator(get_runtime().engine, name), as_json, _print_card)


@generators.command()
@click.argument("name")
@click.argument(
    "folder", required=False, type=click.Path(path_type=Path, file_okay=False, exists=True)
)
@click.option(
    "--endpoint",
    metavar="URL",
    help="Server that speaks OpenAI's completions protocol, up to its /v1, in place of FOLDER.",
)
@click.option("--model", help="Model that the endpoint is asked for.")
@click.option(
    "--version", default="", help="Version of the model, to tell it from others of the same name."
)
@click.option(
    "--context",
    type=click.IntRange(min=64),
    default=1024,
    show_default=True,
    help="Tokens of prompt and query that the endpoint's model reads.",
)
@click.option(
    "--beams/--samples",
    "has_beams",
    default=False,
    help="Whether the endpoint searches with beams, as vLLM does.  [default: samples]",
)
@dry_run_option
@json_option
def add(
    name: str,
    folder: Path | None,
    endpoint: str | None,
    model: str | None,
    version: str,
    context: int,
    has_beams: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Register the checkpoint of a causal decoder in FOLDER, or an endpoint, under NAME.

    A key that the endpoint wants is the setting GPT4REC_ENDPOINT_API_KEY.

    Example: gpt4rec generators add served --endpoint http://llm:8000/v1 --model shop-7b --beams
    """
    if (folder is None) == (endpoint is None) or (model is None) != (endpoint is None):
        raise UsageError("Name one generator.", "Give FOLDER, or --endpoint and --model.")
    if endpoint is None or model is None:
        _add(name, folder, dry_run, as_json)
        return
    from gpt4rec_es.generation.endpoint import Endpoint

    _add(name, Endpoint(endpoint, model, version, context, has_beams), dry_run, as_json)


@generators.command("add-titles")
@click.option(
    "--name",
    default="titles",
    show_default=True,
    help="Name under which to register the generator.",
)
@dry_run_option
@json_option
def add_titles(name: str, dry_run: bool, as_json: bool) -> None:
    """Register the generator without a model, which uses the newest titles as queries.

    Example: gpt4rec generators add-titles --name titles
    """
    _add(name, None, dry_run, as_json)


def _add(name: str, source: "Path | Endpoint | None", dry_run: bool, as_json: bool) -> None:
    from gpt4rec_es.generation.registry import add_generator

    runtime = get_runtime()
    key = runtime.settings.endpoint_api_key
    row = add_generator(runtime.engine, name, source, api_key=key, dry_run=dry_run)
    data: dict[str, Any] = {"name": name, "dry_run": dry_run, "generator": row}
    verb = "can be registered" if dry_run else "is registered"
    emit(data, as_json, lambda data: print_line(f"{data['name']} {verb}."))


def _print_card(card: "GeneratorCard") -> None:
    row = card.generator
    facts = {
        "name": row.name,
        "kind": row.kind,
        "used by nights": row.is_current,
        "content": row.content_hash[:12],
        "folder or endpoint": row.path,
        "licence": card.licence,
        **card.network,
        **card.training,
        **card.cost,
    }
    print_table(
        ["", ""],
        [(name.replace("_", " "), value) for name, value in facts.items() if value is not None],
    )
    for query in card.queries:
        print_line(f"wrote: {query}")


def _print_rows(rows: "list[Generator]") -> None:
    print_table(
        ["name", "kind", "current", "content", "folder or endpoint", "registered"],
        [
            (row.name, row.kind, row.is_current, row.content_hash[:12], row.path, row.created_at)
            for row in rows
        ],
    )
