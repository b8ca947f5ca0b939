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
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@json_option
@click.option("--reason", help="Why, for the record.")
def reindex(dry_run: bool, as_json: bool, reason: str | None) -> None:
    """Build a fresh search index from Postgres and swap it in.

    Searches go on undisturbed meanwhile. k1 and b of the live index are kept.
    """
    from gpt4rec_es.index.reindex import plan_reindex
    from gpt4rec_es.index.reindex import reindex as build_anew

    runtime = get_runtime()
    options = runtime.reindex_options()
    if dry_run:
        emit(plan_reindex(runtime.engine, runtime.elastic, options), as_json, _render_plan)
        return
    with progress_bar("Indexing", "items") as progress:
        report = build_anew(
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
    print_line(
        f"{build.index_name}: {report.documents} items of catalog version "
        f"{build.catalog_version} in {report.seconds:.1f} s, "
        f"k1 {build.bm25.k1:g}, b {build.bm25.b:g}"
    )
    if report.resent:
        print_line(f"{report.resent} items had to be sent again")
    print_line(f"alias {build.alias} moved from {', '.join(report.replaced) or 'nowhere'}")
    if report.deleted:
        print_line(f"deleted {', '.join(report.deleted)}")
