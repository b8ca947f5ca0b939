"""``gpt4rec export``: lists and queries of a run as files, in the shop's own ids."""

from pathlib import Path

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.progress import progress_bar


@click.command()
@click.argument("what", type=click.Choice(["recommendations", "queries"]))
@click.option("--run", "run_id", default="latest", show_default=True, help="A run's id.")
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["jsonl", "csv", "parquet", "trec"]),
    default="jsonl",
    show_default=True,
    help="trec: a run for evaluators, recommendations only.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; it appears when it is complete. [default: stdout]",
)
def export(what: str, run_id: str, fmt: str, output: Path | None) -> None:
    """Write the recommendations or the queries of a run."""
    from gpt4rec_es.services import export as exporting

    with progress_bar("Exporting", "rows") as progress:
        report = exporting.export(
            get_runtime().engine, what, run_id, fmt, output, progress=progress
        )
    click.echo(f"{report.rows:,} {what} of {report.run_id} exported.", err=True)
