"""``gpt4rec reindex``: a fresh index of the whole catalog, swapped in when it is proven."""

from typing import TYPE_CHECKING

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_line
from gpt4rec_es.cli.progress import progress_bar

if TYPE_CHECKING:
    from gpt4rec_es.index.reindex import ReindexPlan, ReindexReport


@click.command()
@click.option("--changed", is_flag=True, help="Only bring in what changed since the live build.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@json_option
@click.option("--reason", help="Why, for the record.")
def reindex(changed: bool, dry_run: bool, as_json: bool, reason: str | None) -> None:
    """Build a fresh search index from Postgres and swap it in.

    Searches go on undisturbed meanwhile. k1 and b of the live index are kept. With --changed it
    is a clone of the live index with the changes; replaced items then still count in scores, up
    to GPT4REC_MAX_DELETED_SHARE of them.
    """
    from gpt4rec_es.index.reindex import plan_reindex
    from gpt4rec_es.index.reindex import reindex as build_anew
    from gpt4rec_es.index.reindex_changed import plan_changes, reindex_changes

    runtime = get_runtime()
    options = runtime.reindex_options()
    if dry_run:
        plan = plan_changes if changed else plan_reindex
        emit(plan(runtime.engine, runtime.elastic, options), as_json, _render_plan)
        return
    act = reindex_changes if changed else build_anew
    with progress_bar("Indexing", "items") as progress:
        report = act(
            runtime.engine,
            runtime.elastic,
            options,
            actor=runtime.settings.actor,
            reason=reason,
            progress=progress,
        )
    emit(report, as_json, _render_report)


def _render_plan(plan: "ReindexPlan") -> None:
    now = ", ".join(plan.live) or "nowhere"
    print_line(f"alias {plan.alias}, which points to {now}")
    print_line(
        f"would index {plan.documents} items of catalog version {plan.catalog_version}, "
        f"k1 {plan.bm25.k1:g}, b {plan.bm25.b:g}"
    )
    print_line(f"would delete {', '.join(plan.would_delete) or 'no old index'}")


def _render_report(report: "ReindexReport") -> None:
    build = report.build
    if not report.replaced and not report.documents:
        print_line(f"{build.index_name} is of catalog version {build.catalog_version} already")
        return
    print_line(
        f"{build.index_name}: {report.documents} items of catalog version "
        f"{build.catalog_version} in {report.seconds:.1f} s, "
        f"k1 {build.bm25.k1:g}, b {build.bm25.b:g}"
    )
    if build.deleted_share:
        print_line(f"{build.deleted_share:.1%} of its documents are replaced or deleted ones")
    if report.resent:
        print_line(f"{report.resent} items had to be sent again")
    print_line(f"alias {build.alias} moved from {', '.join(report.replaced) or 'nowhere'}")
    if report.deleted:
        print_line(f"deleted {', '.join(report.deleted)}")
