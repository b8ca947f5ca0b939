"""``gpt4rec rerankers``: register, list, show and remove re-rankers; merge their adapters."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import dry_run_option, json_option
from gpt4rec_es.cli.output import emit, plural, print_line, print_table

if TYPE_CHECKING:
    from gpt4rec_es.db.rows.rerankers import Reranker
    from gpt4rec_es.reranking.merged_gpt2 import MergedGpt2

_gpt2_option = click.option(
    "--gpt2", help="GPT-2 of its training: a folder or a hub id. [default: the one its card names]"
)


@click.group()
def rerankers() -> None:
    """Register, list, show and remove re-rankers; merge their adapters into a GPT-2."""


@rerankers.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the registered re-rankers, oldest first.

    Example: gpt4rec rerankers list
    """
    from gpt4rec_es.reranking.registry import list_rerankers

    emit(list_rerankers(get_runtime().engine), as_json, _print_rows)


@rerankers.command()
@click.argument("name", shell_complete=names("reranker"))
@json_option
def show(name: str, as_json: bool) -> None:
    """Show the registered re-ranker NAME: its folder, training and figures.

    Example: gpt4rec rerankers show fields
    """
    from gpt4rec_es.reranking.registry import show_reranker

    emit(show_reranker(get_runtime().engine, name), as_json, _print_row)


@rerankers.command()
@click.argument("name")
@click.option(
    "--folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder written by `gpt4rec train reranker`, or by `gpt4rec train baseline sasrec`.",
)
@_gpt2_option
@dry_run_option
@json_option
def add(name: str, folder: Path, gpt2: str | None, dry_run: bool, as_json: bool) -> None:
    """Register a re-ranker under NAME, so that a recipe can name it.

    It must read users by their history: `gpt4rec train reranker --user-mode history`, or a
    SASRec. A SASRec reads no metadata: items that its training did not have get no score.

    Example: gpt4rec rerankers add fields --folder .models/fields
    """
    from gpt4rec_es.reranking.registry import add_reranker

    runtime = get_runtime()
    row = add_reranker(
        runtime.engine,
        name,
        folder,
        actor=runtime.settings.actor,
        gpt2=gpt2,
        dry_run=dry_run,
    )
    data: dict[str, Any] = {"name": name, "dry_run": dry_run, "reranker": row}
    verb = "can be registered" if dry_run else "is registered"
    emit(data, as_json, lambda data: print_line(f"{data['name']} {verb}."))


@rerankers.command()
@click.argument("name", shell_complete=names("reranker"))
@dry_run_option
@json_option
def remove(name: str, dry_run: bool, as_json: bool) -> None:
    """Remove the registered re-ranker NAME with its vectors of items; its folder stays.

    Refused while the live recipe or an encoder names it, or a run that is not pruned has it.

    Example: gpt4rec rerankers remove fields --dry-run
    """
    from gpt4rec_es.night.publish.remove_reranker import remove_reranker

    runtime = get_runtime()
    removed = remove_reranker(runtime.engine, name, actor=runtime.settings.actor, dry_run=dry_run)
    emit(removed.as_dict(), as_json, _print_removed)


@rerankers.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.argument("output", type=click.Path(path_type=Path))
@_gpt2_option
@dry_run_option
@json_option
def merge(folder: Path, output: Path, gpt2: str | None, dry_run: bool, as_json: bool) -> None:
    """Merge the adapters of the re-ranker in FOLDER into its GPT-2 and write that to OUTPUT.

    Logits before and after are compared. Other programs, and `gpt4rec train generator --start`,
    can open OUTPUT. The re-ranker does not change.

    Example: gpt4rec rerankers merge .models/fields .models/fields-gpt2
    """
    from gpt4rec_es.reranking.merged_gpt2 import merge_reranker

    emit(merge_reranker(folder, output, gpt2=gpt2, dry_run=dry_run), as_json, _print_merged)


def _print_removed(data: dict[str, Any]) -> None:
    verb = "would be" if data["dry_run"] else "is"
    print_line(
        f"{data['name']} {verb} removed, with {plural(data['item_vectors'], 'vector')} of items; "
        f"its folder stays: {data['path']}"
    )


def _print_merged(merged: "MergedGpt2") -> None:
    verb = "would be written" if merged.dry_run else "is written"
    print_line(
        f"The merged GPT-2 {verb} to {merged.folder}; logits differ by at most "
        f"{merged.difference:.1e}."
    )


def _print_rows(rows: "list[Reranker]") -> None:
    print_table(
        ["name", "kind", "content", "folder", "vectors as of", "registered"],
        [
            (
                row.name,
                row.kind,
                row.content_hash[:12],
                row.path,
                row.vectors_version,
                row.created_at,
            )
            for row in rows
        ],
    )


def _print_row(row: "Reranker") -> None:
    card = row.card
    data = card.get("data", {})
    facts = {
        "name": row.name,
        "folder": row.path,
        "content": row.content_hash,
        "GPT-2": row.gpt2,
        "kind": row.kind,
        "width of vectors": row.width - 1,
        "purchases read": row.history_length,
        "split": data.get("split"),
        "users, items, purchases": " ".join(
            f"{data[name]:,}" for name in ("users", "items", "purchases") if name in data
        ),
        "fields of items": ", ".join(data.get("item_fields", ())),
        "fields of users": ", ".join(data.get("user_fields", ())),
        "validation NDCG@10": card.get("validation_ndcg"),
        "vectors as of catalog version": row.vectors_version,
        "registered": f"{row.created_at:%Y-%m-%d %H:%M} by {row.actor}",
    }
    print_table(
        ["", ""], [(name, value) for name, value in facts.items() if value not in {None, ""}]
    )
