"""``gpt4rec import``: items, interactions and users from files into Postgres."""

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.import_options import (
    common_options,
    flag_option,
    formats_of,
    time_format,
    value_options,
)
from gpt4rec_es.cli.import_output import render
from gpt4rec_es.cli.number_types import FloatRange
from gpt4rec_es.cli.output import emit
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.feeds.shapes import INTERACTION_FIELDS, ITEM_FIELDS, USER_FIELDS
from gpt4rec_es.feeds.times import TIME_UNITS

if TYPE_CHECKING:
    from gpt4rec_es.catalog.import_job import ImportReport


@click.group("import")
def import_group() -> None:
    """Load catalog items, purchases and users from files.

    CSV, JSON lines (both also gzipped) and Parquet, with our own columns or in the shapes of the
    Amazon review sets; - is standard input. Bad records are set aside with file, line and reason;
    all other changes are made in one transaction, or none if too many records are bad. Repeating an
    import changes nothing.
    """


import_ = import_group


@import_group.command()
@common_options(ITEM_FIELDS)
@value_options
@flag_option
@click.option(
    "--on-empty",
    type=click.Choice(["keep", "clear"]),
    default="keep",
    show_default=True,
    help="Keep or clear the stored value of a field that the files have empty.",
)
@click.option(
    "--deactivate-missing",
    is_flag=True,
    help="Treat the files as the full catalog: items missing from them become inactive.",
)
@click.option(
    "--max-missing",
    type=FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="Fraction of active items that --deactivate-missing may deactivate; above it the import "
    "is refused.",
)
def items(files: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Load items: id, title, brand, category, price, description, whether active.

    Of several records for an item, the last value of each field counts. A field that the files do
    not have, or have empty, keeps its value. Items without a usable title belong to the catalog but
    cannot be found.

    Example: gpt4rec import items items.csv.gz --dry-run
    """
    from gpt4rec_es.catalog.import_items import import_items

    _import(import_items, files, as_json, options)


@import_group.command()
@common_options(INTERACTION_FIELDS)
@value_options
@click.option(
    "--time-unit",
    type=click.Choice(TIME_UNITS),
    help="Unit of numbers in the time column. [default: that of the format; own: auto]",
)
@click.option(
    "--time-format",
    callback=time_format,
    default="auto",
    show_default=True,
    metavar="FORMAT",
    help="Order of dates that end with the year, day-first or month-first, or a pattern such as "
    "%d.%m.%y %H:%M; auto takes what the file proves.",
)
@click.option(
    "--order",
    type=click.Choice(["record", "file"]),
    default="record",
    show_default=True,
    help="Order of records without time and ordinal; file: the line number is the ordinal.",
)
@click.option(
    "--purchases",
    multiple=True,
    metavar="PATTERN",
    help="Value of the column event that is a purchase, such as order*; repeatable. Other events "
    "are skipped.",
)
@click.option(
    "--returns",
    multiple=True,
    metavar="PATTERN",
    help="Value of the column event that is a return or cancellation, such as C*; repeatable.",
)
@click.option("--skip-guests", is_flag=True, help="Skip, and count, records without a user.")
def interactions(files: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Load interactions: user, item, time or ordinal (or both), rating, quantity, event.

    Import the items first: an interaction with an unknown item is set aside. Unknown users are
    created. Times are seconds, milliseconds, ... since 1970, or dates. Returns (events, negative
    quantities) and other events than purchases are skipped and counted.

    Afterwards, published nights are compared with the new purchases, as by `gpt4rec quality`.

    Example: gpt4rec import interactions purchases.csv.gz
    """
    from gpt4rec_es.catalog.import_interactions import import_interactions

    report = _import(import_interactions, files, as_json, options)
    if report.inserted and not report.is_dry_run:
        from gpt4rec_es.night.quality.judge import measure_after

        runtime = get_runtime()
        with progress_bar("Comparing nights with the purchases", "nights") as progress:
            measure_after(runtime.engine, runtime.night_parts, "the import", progress=progress)


@import_group.command()
@common_options(USER_FIELDS, shapes=False)
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="COLUMN",
    help="Column to store with the user; repeatable.",
)
def users(files: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Load users, also those without purchases, and attributes of theirs.

    A user without purchases gets a list of the most bought items, which says so.

    Example: gpt4rec import users customers.csv --column user_id=email --attribute segment
    """
    from gpt4rec_es.catalog.import_users import import_users

    _import(import_users, files, as_json, options)


def _import(
    use_case: Callable[..., "ImportReport"],
    files: tuple[str, ...],
    as_json: bool,
    options: dict[str, Any],
) -> "ImportReport":
    from gpt4rec_es.catalog.import_job import ImportStoppedError
    from gpt4rec_es.feeds.source import spool

    after_interrupt("Nothing was changed; run it again.")
    formats = formats_of(options)
    runtime = get_runtime()
    try:
        with TemporaryDirectory() as folder, progress_bar("Importing", "bytes") as progress:
            paths = [
                spool(sys.stdin.buffer, Path(folder), formats.max_size) if name == "-" else name
                for name in files
            ]
            report = use_case(
                runtime.engine,
                paths,
                actor=runtime.settings.actor,
                formats=formats,
                progress=progress,
                **options,
            )
    except ImportStoppedError as error:
        if error.report is not None:
            emit(error.report, as_json, render)
        raise
    emit(report, as_json, render)
    return report
