"""``gpt4rec quality``: compare the lists of published nights with what users bought since."""

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.cli.quality_output import print_due, print_nights, print_run


@click.command()
@click.option(
    "--run",
    "run_id",
    shell_complete=names("run"),
    help="Show one run by method, rank, source and outcome. [default: the newest nights]",
)
@click.option(
    "--limit",
    default=7,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Maximum number of nights.",
)
@click.option("--dry-run", is_flag=True, help="Show the runs that would be measured.")
@json_option
def quality(run_id: str | None, limit: int, dry_run: bool, as_json: bool) -> None:
    """Compare the lists of published nights with what users bought since.

    Measures what is due, then shows it: of the users that bought an item that was new to them
    within 1, 7 or 28 days after the night, how many bought an item of their list, beside popular
    items and hits of their newest title. Each import of interactions and beat measure, too.

    The figures are observational: a list may cause the purchases that it predicts. Purchases
    without a time do not count.

    Example: gpt4rec quality --run latest
    """
    from gpt4rec_es.db.rows import runs as run_rows
    from gpt4rec_es.night.quality.judge import due_runs, measure
    from gpt4rec_es.night.quality.report import report_nights, report_run

    runtime = get_runtime()
    with runtime.engine.connect() as connection:
        run = None if run_id is None else run_rows.find(connection, run_id)
        if dry_run:
            emit({"due": due_runs(connection)}, as_json, print_due)
            return
    after_interrupt("`gpt4rec quality` measures the rest.")
    with progress_bar("Measuring", "nights") as progress:
        measure(runtime.night_parts(), progress=progress)
    with runtime.engine.connect() as connection:
        if run is None:
            emit(report_nights(connection, limit).as_dict(), as_json, print_nights)
        else:
            emit(report_run(connection, run).as_dict(), as_json, print_run)
