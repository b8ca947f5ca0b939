"""``gpt4rec recipes``: list, compare, use, import and export the documents that make lists."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import (
    dry_run_option,
    json_option,
    reason_option,
    required_reason_option,
    wide_option,
)
from gpt4rec_es.cli.output import emit, print_line, print_table

if TYPE_CHECKING:
    from gpt4rec_es.recipes.live import UseChange
    from gpt4rec_es.recipes.store import RecipeEntry


@click.group()
def recipes() -> None:
    """List, compare, use, import and export recipes, which say how lists are made.

    The live recipe is used by nights, evaluations and tunings; see docs/recipes.md.
    """


@recipes.command("list")
@wide_option
@json_option
def list_(wide: bool, as_json: bool) -> None:
    """List the recipes: shipped ones, then stored ones, oldest first.

    Example: gpt4rec recipes list
    """
    from gpt4rec_es.recipes.store import list_recipes

    emit(list_recipes(get_runtime().engine), as_json, lambda found: _print_list(found, wide=wide))


@recipes.command()
@click.argument("name", required=False, shell_complete=names("recipe"))
@json_option
def show(name: str | None, as_json: bool) -> None:
    """Show the recipe NAME; without NAME, the live one.

    Example: gpt4rec recipes show paper
    """
    from gpt4rec_es.recipes.store import show_recipe

    emit(show_recipe(get_runtime().engine, name), as_json, _print_recipe)


@recipes.command()
@click.argument("first", shell_complete=names("recipe"))
@click.argument("second", required=False, shell_complete=names("recipe"))
@json_option
def diff(first: str, second: str | None, as_json: bool) -> None:
    """Show the entries in which recipe SECOND differs from FIRST; by default the live one.

    Example: gpt4rec recipes diff paper default
    """
    from gpt4rec_es.recipes.store import diff_recipes

    found = diff_recipes(get_runtime().engine, first, second)
    emit(found, as_json, _print_diff)


@recipes.command()
@click.argument("name", shell_complete=names("recipe"))
@required_reason_option
@dry_run_option
@json_option
def use(name: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Use the recipe NAME from the next night on; `recipes undo` reverts it.

    Example: gpt4rec recipes use paper --reason "compare with the paper"
    """
    from gpt4rec_es.recipes.live import use_recipe

    runtime = get_runtime()
    change = use_recipe(
        runtime.engine, name, actor=runtime.settings.actor, reason=reason, dry_run=dry_run
    )
    emit_change(change, dry_run, as_json)


@recipes.command()
@reason_option
@dry_run_option
@json_option
def undo(reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Use the recipe before the last `use` again.

    Example: gpt4rec recipes undo
    """
    from gpt4rec_es.recipes.live import undo_use

    runtime = get_runtime()
    change = undo_use(runtime.engine, actor=runtime.settings.actor, reason=reason, dry_run=dry_run)
    emit_change(change, dry_run, as_json)


@recipes.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", required=True, help="Name under which to store the recipe.")
@reason_option
@dry_run_option
@json_option
def import_(file: Path, name: str, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Store the recipe in the JSON file FILE; `recipes use` makes it the live one.

    Example: gpt4rec recipes import winter.json --name winter --dry-run
    """
    from gpt4rec_es.recipes.store import read_recipe, store_recipe

    runtime, recipe = get_runtime(), read_recipe(file)
    is_new = store_recipe(
        runtime.engine,
        name,
        recipe,
        actor=runtime.settings.actor,
        reason=reason,
        dry_run=dry_run,
    )
    data = {"name": name, "hash": recipe.content_hash, "is_new": is_new, "dry_run": dry_run}
    emit(data, as_json, _print_imported)


@recipes.command()
@click.argument("name", required=False, shell_complete=names("recipe"))
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write. [default: stdout]",
)
def export(name: str | None, output: Path | None) -> None:
    """Write the recipe NAME as JSON, for `recipes import`; without NAME, the live one.

    Example: gpt4rec recipes export default --output winter.json
    """
    from gpt4rec_es.files import open_target
    from gpt4rec_es.recipes.store import show_recipe

    found = show_recipe(get_runtime().engine, name)
    with open_target(output) as file:
        file.write(json.dumps(found.document, indent=2).encode() + b"\n")
    if output is not None:
        click.echo(f"{found.name} is written to {output}.", err=True)


def _print_list(found: "list[RecipeEntry]", *, wide: bool) -> None:
    columns = ["recipe", "live", "sources", "queries", "by", "stored", "trial", "hash", "reason"]
    keep = {"recipe", "live", "sources", "by"}
    print_table(
        columns,
        [
            (
                one.name,
                one.is_live,
                ", ".join(f"{name}:{w:g}" for name, w in one.document["fusion"]["weights"]),
                one.document["decoding"]["num_queries"],
                "shipped" if one.is_shipped else one.actor,
                one.stored_at,
                one.trial_no,
                one.content_hash[:12],
                one.reason,
            )
            for one in found
        ],
        keep=None if wide else keep,
    )


def _print_recipe(found: "RecipeEntry") -> None:
    from gpt4rec_es.options.recipe import flat

    live = ", live" if found.is_live else ""
    origin = (
        "shipped" if found.is_shipped else f"stored {found.stored_at:%Y-%m-%d} by {found.actor}"
    )
    print_line(f"{found.name} ({origin}{live}), {found.content_hash[:12]}")
    if found.reason:
        print_line(f"why: {found.reason}")
    if found.trial_no:
        print_line(f"chosen by trial {found.trial_no}")
    rows = [row for name, value in flat(found.document).items() for row in _rows(name, value)]
    print_table(["entry", "value"], rows)


def _print_diff(data: dict[str, Any]) -> None:
    if not data["differences"]:
        print_line(f"{data['first']} and {data['second']} are equal.")
        return
    rows = []
    for name, (a, b) in data["differences"].items():
        one, other = dict(_rows(name, a)), dict(_rows(name, b))
        rows += [(row, one.get(row), other.get(row)) for row in {**one, **other}]
    print_table(["entry", data["first"], data["second"]], rows)


def _rows(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return the rows of an entry: one for each pair of a name and a number, else one."""
    if isinstance(value, list):
        return [(f"{name}.{one}", number) for one, number in value]
    return [(name, value)]


def emit_change(
    change: "UseChange",
    dry_run: bool,
    as_json: bool,
    field_bm25: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Print a change of the live recipe, or what it would be.

    field_bm25: k1 and b of fields that the live index has with it; None: it says nothing of them.
    """
    fields = dict(field_bm25 or {})
    data = {**change.as_dict(), "dry_run": dry_run}
    if field_bm25 is not None:
        data["field_bm25"] = fields

    def render(shown: dict[str, Any]) -> None:
        verb = "would be" if dry_run else "is"
        print_line(
            f"{shown['after']['name']} {verb} used by the next night, after {shown['before']}."
        )
        for name, (k1, b) in fields.items():
            has = "would have" if dry_run else "has"
            print_line(f"The live index {has} k1 {k1:g}, b {b:g} of {name}.")

    emit(data, as_json, render)


def _print_imported(data: dict[str, Any]) -> None:
    if not data["is_new"]:
        print_line(f"{data['name']} is stored already, with the same content.")
        return
    verb = "can be stored" if data["dry_run"] else "is stored"
    print_line(f"{data['name']} {verb} ({data['hash'][:12]}). `gpt4rec recipes use` makes it live.")
