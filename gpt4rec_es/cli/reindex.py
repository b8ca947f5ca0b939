"""``gpt4rec reindex``: a new index of the whole catalog, made live once verified."""

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import dry_run_option, json_option, reason_option
from gpt4rec_es.cli.output import emit, plural, print_line
from gpt4rec_es.cli.progress import progress_bar

if TYPE_CHECKING:
    from gpt4rec_es.index.reindex import ReindexPlan, ReindexReport


@click.command()
@click.option(
    "--take-over",
    is_flag=True,
    help="Move the alias also from indices that this database did not make.",
)
@click.option(
    "--encoder",
    shell_complete=names("encoder"),
    help="Registered encoder whose vectors of titles the index holds; none: without vectors. "
    "[default: as the live index]",
)
@dry_run_option
@json_option
@reason_option
def reindex(
    take_over: bool, encoder: str | None, dry_run: bool, as_json: bool, reason: str | None
) -> None:
    """Build a new search index from Postgres and make it live.

    Searches continue on the old index until the new one is verified. k1 and b are kept. With an
    encoder, titles that it never encoded are encoded and kept; if interrupted, run it again.

    Example: gpt4rec reindex --reason "new titles"
    """
    from gpt4rec_es.index.reindex import plan_reindex
    from gpt4rec_es.index.reindex import reindex as build_anew

    after_interrupt("Nothing was changed; run it again.")
    runtime = get_runtime()
    options = replace(runtime.reindex_options(), take_over=take_over)
    if encoder is not None:
        options = replace(options, encoder=encoder)
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
    if plan.encoder is not None:
        print_line(
            f"with vectors of titles by the encoder {plan.encoder}; "
            f"{plan.to_encode} titles are new to it"
        )
    print_line(f"would delete {', '.join(plan.would_delete) or 'no old index'}")


def _render_report(report: "ReindexReport") -> None:
    build = report.build
    print_line(
        f"{build.index_name}: {report.documents} items of catalog version "
        f"{build.catalog_version} in {report.seconds:.1f} s, "
        f"k1 {build.bm25.k1:g}, b {build.bm25.b:g}"
    )
    if report.encoder is not None:
        print_line(
            f"with vectors of titles by the encoder {report.encoder}; "
            f"{report.encoded} titles were new to it"
        )
    if report.unknown:
        items = plural(report.unknown, "item")
        print_line(f"{items} without a vector: the encoder knows no word of the title")
    if report.resent:
        print_line(f"{report.resent} items had to be sent again")
    print_line(f"alias {build.alias} moved from {', '.join(report.replaced) or 'nowhere'}")
    if report.deleted:
        print_line(f"deleted {', '.join(report.deleted)}")
