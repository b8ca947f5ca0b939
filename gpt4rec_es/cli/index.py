"""``gpt4rec index``: builds, and tuning k1 and b without an outage."""

from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.index_bm25 import bm25
from gpt4rec_es.cli.index_synonyms import synonyms
from gpt4rec_es.cli.options import dry_run_option, json_option, reason_option, wide_option
from gpt4rec_es.cli.output import emit, print_line, print_table

if TYPE_CHECKING:
    from gpt4rec_es.index.builds import BuildStatus


@click.group()
def index() -> None:
    """List, pin, prune and roll back index builds; set BM25 k1 and b."""


@index.command()
@click.option("--all", "with_gone", is_flag=True, help="Include failed and deleted builds.")
@wide_option
@json_option
def builds(with_gone: bool, wide: bool, as_json: bool) -> None:
    """List the index builds, newest first, with the live one marked.

    Example: gpt4rec index builds --all
    """
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
            keep=None if wide else {"build", "index", "state", "live", "k1", "b"},
        )

    emit(found, as_json, render)


@index.command()
@click.option(
    "--to",
    "build_no",
    type=int,
    help="Number of the build to make live. [default: the one live before]",
)
@reason_option
@dry_run_option
@json_option
def rollback(build_no: int | None, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Make an older build live again.

    A night builds a new index if this build is older than the catalog.

    Example: gpt4rec index rollback --to 11
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
    help="Number of formerly live builds to keep.",
)
@dry_run_option
@json_option
def prune(keep: int, dry_run: bool, as_json: bool) -> None:
    """Delete old builds and leftovers of aborted ones.

    The live build and builds pinned by runs or by an operator are always kept.

    Example: gpt4rec index prune --keep 2 --dry-run
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
@reason_option
@dry_run_option
@json_option
def pin(build_no: int, **options: Any) -> None:
    """Pin build BUILD_NO, so that pruning keeps it.

    Example: gpt4rec index pin 12 --reason "audit"
    """
    _set_pinned(build_no, is_pinned=True, **options)


@index.command()
@click.argument("build_no", type=int)
@reason_option
@dry_run_option
@json_option
def unpin(build_no: int, **options: Any) -> None:
    """Unpin build BUILD_NO, so that pruning may delete it.

    Example: gpt4rec index unpin 12
    """
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


index.add_command(bm25)
index.add_command(synonyms)
