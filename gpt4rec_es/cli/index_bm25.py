"""``gpt4rec index bm25``: show, set and undo k1 and b without an outage."""

from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.number_types import FLOAT
from gpt4rec_es.cli.options import dry_run_option, json_option, reason_option
from gpt4rec_es.cli.output import emit, print_line, print_table
from gpt4rec_es.options.search_options import FIELDS

if TYPE_CHECKING:
    from gpt4rec_es.index.bm25 import Bm25Change


@click.group()
def bm25() -> None:
    """Show, set and undo k1 and b of the live index; no reindexing, no outage."""


@bm25.command()
@json_option
def show(as_json: bool) -> None:
    """Show k1 and b of the live index and the changes that led to them.

    Example: gpt4rec index bm25 show
    """
    from gpt4rec_es.index.bm25 import show_bm25

    runtime = get_runtime()
    build, swaps = show_bm25(runtime.engine, runtime.elastic, runtime.settings.index_alias)

    def render(_data: dict[str, Any]) -> None:
        print_line(
            f"k1 {build.bm25.k1:g}, b {build.bm25.b:g} (build {build.build_no}, {build.index_name})"
        )
        for name, one in build.field_bm25.items():
            print_line(f"of {name}: k1 {one.k1:g}, b {one.b:g}")
        print_table(
            ["time", "action", "from build", "to build", "by", "reason"],
            [
                (s.swapped_at, s.action, s.from_build_no, s.to_build_no, s.actor, s.reason)
                for s in swaps
            ],
        )

    data = {"k1": build.bm25.k1, "b": build.bm25.b, "build": build, "moves": swaps}
    emit(data, as_json, render)


@bm25.command(name="set")
@click.option(
    "--k1",
    type=FLOAT,
    required=True,
    help="BM25 k1, the term saturation: 0 or more, usually 0.3 to 2.",
)
@click.option("--b", type=FLOAT, required=True, help="BM25 b, the length normalisation: 0 to 1.")
@click.option(
    "--field",
    type=click.Choice(FIELDS),
    help="Field beside the title that gets these values. [default: the title]",
)
@reason_option
@dry_run_option
@json_option
def set_(
    k1: float, b: float, field: str | None, reason: str | None, dry_run: bool, as_json: bool
) -> None:
    """Set k1 and b: clone the live index, verify the clone, move the alias to it.

    Those of titles, or of a field that recipes may search beside it.

    Example: gpt4rec index bm25 set --k1 0.9 --b 0.4
    """
    from gpt4rec_es.index.bm25 import set_bm25
    from gpt4rec_es.records import Bm25

    runtime = get_runtime()
    change = set_bm25(
        runtime.engine,
        runtime.elastic,
        runtime.settings.index_alias,
        None if field else Bm25(k1, b),
        fields={field: Bm25(k1, b)} if field else {},
        actor=runtime.settings.actor,
        reason=reason,
        dry_run=dry_run,
    )
    emit(change, as_json, lambda shown: render_change(shown, dry_run))


@bm25.command()
@reason_option
@dry_run_option
@json_option
def undo(reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Go back to the values before the last `set`.

    Example: gpt4rec index bm25 undo
    """
    from gpt4rec_es.index.bm25 import undo_bm25

    runtime = get_runtime()
    change = undo_bm25(
        runtime.engine,
        runtime.elastic,
        runtime.settings.index_alias,
        actor=runtime.settings.actor,
        reason=reason,
        dry_run=dry_run,
    )
    emit(change, as_json, lambda shown: render_change(shown, dry_run))


def render_change(change: "Bm25Change", dry_run: bool) -> None:
    """Print a move of the alias to other k1, b for people."""
    old, new = change.before, change.bm25
    verb = "would be" if dry_run else "are"
    print_line(
        f"k1, b {verb} {new.k1:g}, {new.b:g} after {old.bm25.k1:g}, {old.bm25.b:g} "
        f"({change.after.index_name if change.after else 'a new clone'} after {old.index_name})"
    )
    for name in {**old.field_bm25, **change.fields}:
        if (one := change.fields.get(name)) != old.field_bm25.get(name):
            values = "the defaults" if one is None else f"{one.k1:g}, {one.b:g}"
            print_line(f"of {name}: {values}")
    if change.deleted:
        print_line(f"deleted {', '.join(change.deleted)}")
