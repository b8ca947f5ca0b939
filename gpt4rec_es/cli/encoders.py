"""``gpt4rec encoders``: register, list, show and remove encoders of titles and queries."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import dry_run_option, json_option
from gpt4rec_es.cli.output import emit, plural, print_line, print_table
from gpt4rec_es.errors import UsageError

if TYPE_CHECKING:
    from gpt4rec_es.db.rows.encoders import Encoder


@click.group()
def encoders() -> None:
    """Register, list, show and remove encoders, for search by vectors (kNN)."""


@encoders.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the registered encoders, oldest first.

    Example: gpt4rec encoders list
    """
    from gpt4rec_es.reranking.encoder_registry import list_encoders

    emit(list_encoders(get_runtime().engine), as_json, _print_rows)


@encoders.command()
@click.argument("name", shell_complete=names("encoder"))
@json_option
def show(name: str, as_json: bool) -> None:
    """Show the registered encoder NAME.

    Example: gpt4rec encoders show words
    """
    from gpt4rec_es.reranking.encoder_registry import show_encoder

    emit(show_encoder(get_runtime().engine, name), as_json, _print_row)


@encoders.command()
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of a sentence-transformers network, with weights in safetensors.",
)
@click.option(
    "--static",
    type=click.Path(path_type=Path, exists=True),
    help="Vectors of tokens in safetensors, with tokenizer.json beside them: the file or folder.",
)
@click.option(
    "--generator",
    shell_complete=names("generator"),
    help="Registered query generator whose states are taken.",
)
@click.option(
    "--reranker",
    shell_complete=names("reranker"),
    help="Registered re-ranker that reads a text as the title of a new item.",
)
@dry_run_option
@json_option
def add(
    name: str,
    folder: Path | None,
    static: Path | None,
    generator: str | None,
    reranker: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Register an encoder under NAME: one of --folder, --static, --generator, --reranker.

    Vectors are made by `gpt4rec reindex --encoder NAME`.

    Example: gpt4rec encoders add words --static .models/words
    """
    from gpt4rec_es.reranking.encoder_registry import add_encoder

    given = {"folder": folder, "static": static, "generator": generator, "reranker": reranker}
    kinds = [kind for kind, value in given.items() if value is not None]
    if len(kinds) != 1:
        options = ", ".join(f"--{kind}" for kind in given)
        raise UsageError("Name one encoder.", f"Give one of {options}.")
    runtime = get_runtime()
    row = add_encoder(
        runtime.engine,
        name,
        kinds[0],
        path=folder or static,
        source=generator or reranker,
        actor=runtime.settings.actor,
        dry_run=dry_run,
    )
    data: dict[str, Any] = {"name": name, "dry_run": dry_run, "encoder": row}
    verb = "can be registered" if dry_run else "is registered"
    emit(data, as_json, lambda data: print_line(f"{data['name']} {verb}."))


@encoders.command()
@click.argument("name", shell_complete=names("encoder"))
@dry_run_option
@json_option
def remove(name: str, dry_run: bool, as_json: bool) -> None:
    """Remove the registered encoder NAME with its vectors of titles; its files stay.

    Refused while the live recipe names it, or an index holds its vectors.

    Example: gpt4rec encoders remove words --dry-run
    """
    from gpt4rec_es.recipes.remove_encoder import remove_encoder

    runtime = get_runtime()
    count = remove_encoder(runtime.engine, name, actor=runtime.settings.actor, dry_run=dry_run)
    verb = "would be" if dry_run else "is"
    line = f"{name} {verb} removed, with {plural(count, 'vector')} of titles."
    data = {"name": name, "dry_run": dry_run, "title_vectors": count}
    emit(data, as_json, lambda _: print_line(line))


def _print_rows(rows: "list[Encoder]") -> None:
    print_table(
        ["name", "kind", "dims", "content", "from", "registered"],
        [
            (row.name, row.kind, row.dims, row.content_hash[:12], _place(row), row.created_at)
            for row in rows
        ],
    )


def _print_row(row: "Encoder") -> None:
    facts = {
        "name": row.name,
        "kind": row.kind,
        "from": _place(row),
        "content": row.content_hash,
        "components of a vector": row.dims,
        "registered": f"{row.created_at:%Y-%m-%d %H:%M} by {row.actor}",
    }
    print_table(["", ""], list(facts.items()))


def _place(row: "Encoder") -> str | None:
    return row.path or row.source
