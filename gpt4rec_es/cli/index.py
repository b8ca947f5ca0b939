"""``gpt4rec index``: builds, and tuning k1 and b without an outage."""

from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_line, print_table

if TYPE_CHECKING:
    from gpt4rec_es.index.bm25 import Bm25Change
    from gpt4rec_es.index.builds import BuildStatus

_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
_reason = click.option("--reason", help="Why, for the record.")


@click.group()
def index() -> None:
    """Look at, pin and prune index builds; go back; set BM25 k1 and b."""


@index.command()
@click.option("--all", "with_gone", is_flag=True, help="Also failed and deleted ones.")
@json_option
def builds(with_gone: bool, as_json: bool) -> None:
    """List the builds, newest first, and which is live."""
    from gpt4rec_es.index.builds import list_builds

    runtime = get_runtime()
    found = list_builds(
        runtime.engine, runtime.elastic, runtime.settings.index_alias, with_gone=with_gone
    )

    def render(shown: "list[BuildStatus]") -> None:
        columns = ["build", "index", "state", "live", "pinned by", "kind", "items", "k1", "b"]
        print_table(
            [*columns, "catalog", "created", "by", "reason or error"],
            [
                (
                    s.build.build_no,
                    s.build.index_name,
                    s.build.state,
                    s.is_live,
                    ", ".join(s.pinned_by) or None,
                    s.build.kind,
                    s.build.document_count,
                    s.build.bm25.k1,
                    s.build.bm25.b,
                    s.build.catalog_version,
                    s.build.created_at,
                    s.build.actor,
                    s.build.error or s.build.reason,
                )
                for s in shown
            ],
        )

    emit(found, as_json, render)


@index.command()
@click.option("--to", "build_no", type=int, help="Number of the build. [default: the one before]")
@_reason
@_dry_run
@json_option
def rollback(build_no: int | None, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Make an older build live again.

    A night that finds it older than the catalog builds anew.
    """
    from gpt4rec_es.index.builds import rollback_index

    runtime = get_runtime()
    before, after = rollback_index(
        runtime.engine,
        runtime.elastic,
        runtime.settings.index_alias,
        build_no=build_no,
        actor=runtime.settings.actor,
        reason=reason,
        dry_run=dry_run,
    )

    def render(_data: dict[str, Any]) -> None:
        verb = "would move" if dry_run else "moved"
        old = before.index_name if before else "elsewhere"
        print_line(f"alias {after.alias} {verb} from {old} to {after.index_name}")

    emit({"before": before, "after": after, "dry_run": dry_run}, as_json, render)


@index.command()
@click.option(
    "--keep",
    default=2,
    show_default=True,
    type=click.IntRange(0, 100),
    help="How many of those live before to keep.",
)
@_dry_run
@json_option
def prune(keep: int, dry_run: bool, as_json: bool) -> None:
    """Delete old builds, and what killed ones left.

    The live build and those pinned by runs or by hand are always kept.
    """
    from gpt4rec_es.index.builds import prune_index

    runtime = get_runtime()
    names = prune_index(
        runtime.engine, runtime.elastic, runtime.settings.index_alias, keep=keep, dry_run=dry_run
    )
    verb = "would delete" if dry_run else "deleted"
    data: dict[str, Any] = {"indices": names, "dry_run": dry_run}
    emit(data, as_json, lambda _: print_line(f"{verb} {', '.join(names) or 'no index'}"))


@index.command()
@click.argument("build_no", type=int)
@_reason
@_dry_run
@json_option
def pin(build_no: int, **options: Any) -> None:
    """Keep build BUILD_NO from being deleted."""
    _set_pinned(build_no, is_pinned=True, **options)


@index.command()
@click.argument("build_no", type=int)
@_reason
@_dry_run
@json_option
def unpin(build_no: int, **options: Any) -> None:
    """Let build BUILD_NO be deleted again when its time comes."""
    _set_pinned(build_no, is_pinned=False, **options)


def _set_pinned(
    build_no: int, *, is_pinned: bool, reason: str | None, dry_run: bool, as_json: bool
) -> None:
    from gpt4rec_es.index.builds import set_build_pinned

    runtime = get_runtime()
    build = set_build_pinned(
        runtime.engine,
        build_no,
        is_pinned=is_pinned,
        actor=runtime.settings.actor,
        reason=reason,
        dry_run=dry_run,
    )
    verb = "would be" if dry_run else "is"
    state = "pinned" if is_pinned else "not pinned"
    data = {"build_no": build.build_no, "index_name": build.index_name}
    emit(
        {**data, "is_pinned": is_pinned, "dry_run": dry_run},
        as_json,
        lambda _: print_line(f"build {build.build_no} ({build.index_name}) {verb} {state}"),
    )


@index.group()
def bm25() -> None:
    """Show, set and undo k1 and b of the live index; no reindexing, no outage."""


@bm25.command()
@json_option
def show(as_json: bool) -> None:
    """Show k1 and b as the live index has them, and how they came to be."""
    from gpt4rec_es.index.bm25 import show_bm25

    runtime = get_runtime()
    build, swaps = show_bm25(runtime.engine, runtime.elastic, runtime.settings.index_alias)

    def render(_data: dict[str, Any]) -> None:
        print_line(
            f"k1 {build.bm25.k1:g}, b {build.bm25.b:g} (build {build.build_no}, {build.index_name})"
        )
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
@click.option("--k1", type=float, required=True, help="Term saturation, >= 0; usual 0.3 to 2.")
@click.option("--b", type=float, required=True, help="Length normalisation, 0 to 1.")
@_reason
@_dry_run
@json_option
def set_(k1: float, b: float, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Make other values live: a clone of the live index, verified, swapped in."""
    from gpt4rec_es.index.bm25 import set_bm25
    from gpt4rec_es.records import Bm25

    runtime = get_runtime()
    change = set_bm25(
        runtime.engine,
        runtime.elastic,
        runtime.settings.index_alias,
        Bm25(k1, b),
        actor=runtime.settings.actor,
        reason=reason,
        dry_run=dry_run,
    )
    emit(change, as_json, lambda shown: render_change(shown, dry_run))


@bm25.command()
@_reason
@_dry_run
@json_option
def undo(reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Go back to the values before the last `set`."""
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
    if change.deleted:
        print_line(f"deleted {', '.join(change.deleted)}")
