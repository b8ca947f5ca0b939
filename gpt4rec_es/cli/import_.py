"""``gpt4rec import``: items and interactions from files into Postgres."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_line, print_table
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.feeds.shapes import INTERACTION_FIELDS, ITEM_FIELDS, SHAPE_NAMES
from gpt4rec_es.feeds.times import TIME_UNITS

if TYPE_CHECKING:
    from gpt4rec_es.catalog.import_job import ImportReport


@click.group("import")
def import_group() -> None:
    """Load catalog items and purchases from files.

    CSV, JSON lines (both also gzipped) and Parquet, with our own columns or in the shapes of the
    Amazon review sets. Bad records are set aside with file, line and reason; all other changes
    are made in one transaction, or none if too many records are bad. Repeating an import changes
    nothing.
    """


import_ = import_group


def _columns(
    _context: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]
) -> dict[str, str]:
    columns = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    if len(columns) < len(pairs):
        raise click.BadParameter("write FIELD=COLUMN, each field once.")
    return columns


def _common(fields: tuple[str, ...]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the options of both commands."""
    options = [
        click.argument("files", nargs=-1, required=True, type=click.Path()),
        click.option(
            "--format",
            "shape",
            type=click.Choice(["auto", *SHAPE_NAMES]),
            default="auto",
            show_default=True,
            help="Layout of the file; auto detects it from the first records.",
        ),
        click.option(
            "--column",
            "columns",
            multiple=True,
            metavar="FIELD=COLUMN",
            callback=_columns,
            help=f"Read FIELD from COLUMN; repeatable. Fields: {', '.join(fields)}.",
        ),
        click.option(
            "--max-rejects",
            type=click.FloatRange(0, 1),
            default=0.01,
            show_default=True,
            help="Fraction of bad records above which the import is refused.",
        ),
        click.option(
            "--dry-run", is_flag=True, help="Check and count the records without changing anything."
        ),
        json_option,
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@import_group.command()
@_common(ITEM_FIELDS)
@click.option(
    "--deactivate-missing",
    is_flag=True,
    help="Treat the files as the full catalog: items missing from them become inactive.",
)
@click.option(
    "--max-missing",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="Fraction of active items that --deactivate-missing may deactivate; above it the import "
    "is refused.",
)
def items(files: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Load items: id, title, brand, category, price, whether active.

    A field that a file does not have keeps its value; of several records for an item the last
    counts. Items without a usable title belong to the catalog but cannot be found.

    Example: gpt4rec import items items.csv.gz --dry-run
    """
    from gpt4rec_es.catalog.import_items import import_items

    _import(import_items, files, as_json, options)


@import_group.command()
@_common(INTERACTION_FIELDS)
@click.option(
    "--time-unit",
    type=click.Choice(TIME_UNITS),
    help="Unit of numbers in the time column. [default: that of the format; own: auto]",
)
@click.option(
    "--order",
    type=click.Choice(["record", "file"]),
    default="record",
    show_default=True,
    help="Order of records without time and ordinal; file: the line number is the ordinal.",
)
def interactions(files: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Load interactions: user, item, time or ordinal (or both), rating.

    Import the items first: an interaction with an unknown item is set aside. Unknown users are
    created. Times are seconds, milliseconds, ... since 1970, or ISO 8601.

    Example: gpt4rec import interactions purchases.csv.gz
    """
    from gpt4rec_es.catalog.import_interactions import import_interactions

    _import(import_interactions, files, as_json, options)


def _import(
    use_case: Callable[..., "ImportReport"],
    files: tuple[str, ...],
    as_json: bool,
    options: dict[str, Any],
) -> None:
    from gpt4rec_es.catalog.import_job import ImportStoppedError

    after_interrupt("Nothing was changed; run it again.")
    runtime = get_runtime()
    try:
        with progress_bar("Importing", "bytes") as progress:
            report = use_case(
                runtime.engine, files, actor=runtime.settings.actor, progress=progress, **options
            )
    except ImportStoppedError as error:
        if error.report is not None:
            emit(error.report, as_json, _render)
        raise
    emit(report, as_json, _render)


def _render(report: "ImportReport") -> None:
    for name, shape in zip(report.files, report.shapes, strict=True):
        print_line(f"{name} ({shape})")
    rejected = sum(report.rejected.values())
    print_line(f"{report.records:,} records in {report.seconds:.1f} s, {rejected:,} set aside")
    if report.error is None:
        print_line(_changes(report))
    if rejected:
        print_table(["reason", "records"], list(report.rejected.items()))
        print_table(
            ["file", "line", "reason", "what is wrong", "record"],
            [
                (one.file, one.line, one.code, one.reason, one.excerpt)
                for one in report.first_rejects
            ],
            title="The first records set aside",
        )
        if report.import_no is not None:
            print_line(f"all of them: analytics.rejects, import {report.import_no}")


def _changes(report: "ImportReport") -> str:
    counts = {
        "new": report.inserted,
        "changed": report.updated,
        "unchanged": report.unchanged,
        "replaced by a later record": report.duplicates,
        "deactivated": report.deactivated,
        "new users": report.users_created,
    }
    always = {"new", "changed", "unchanged"}
    shown = ", ".join(f"{n:,} {name}" for name, n in counts.items() if n or name in always)
    if report.is_dry_run:
        return f"would be: {shown}; nothing was changed"
    return f"{shown}; version {report.version}"
