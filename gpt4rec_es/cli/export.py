"""``gpt4rec export``: lists, queries and held-out items as files, in the shop's own ids."""

from dataclasses import replace
from pathlib import Path

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import part_option
from gpt4rec_es.cli.progress import progress_bar

_OUTPUT = click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; it appears when it is complete. [default: stdout]",
)
_PSEUDONYMS = click.option(
    "--pseudonyms", is_flag=True, help="Write user ids as analysts see them, not the shop's own."
)
_RUN = click.option("--run", "run_id", default="latest", show_default=True, help="A run's id.")


@click.group()
def export() -> None:
    """Write lists, queries or held-out items to a file, in the shop's own ids."""


@export.command()
@_RUN
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["jsonl", "csv", "parquet", "trec"]),
    default="jsonl",
    show_default=True,
    help="trec: a run for evaluators.",
)
@_PSEUDONYMS
@_OUTPUT
def recommendations(run_id: str, fmt: str, pseudonyms: bool, output: Path | None) -> None:
    """Write the recommendations of a run."""
    _export_run("recommendations", run_id, fmt, pseudonyms, output)


@export.command()
@_RUN
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["jsonl", "csv", "parquet"]),
    default="jsonl",
    show_default=True,
    help="Form of the file.",
)
@_PSEUDONYMS
@_OUTPUT
def queries(run_id: str, fmt: str, pseudonyms: bool, output: Path | None) -> None:
    """Write the generated queries of a run."""
    _export_run("queries", run_id, fmt, pseudonyms, output)


@export.command()
@click.argument("split")
@part_option()
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["trec", "rre", "quepid", "rank-eval"]),
    default="trec",
    show_default=True,
    help="rre: JSON of the Rated Ranking Evaluator; quepid: CSV; rank-eval: bodies of "
    "Elasticsearch's _rank_eval, one per line.",
)
@click.option(
    "--generator",
    help="Search for its stored or new queries; not for trec. [default: the newest title known]",
)
@click.option(
    "--num-queries",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="With --generator: so many per user.",
)
@click.option(
    "--k", type=click.IntRange(min=1), default=10, show_default=True, help="Of rank-eval."
)
@_PSEUDONYMS
@_OUTPUT
def qrels(
    split: str,
    part: str,
    fmt: str,
    generator: str | None,
    num_queries: int,
    k: int,
    pseudonyms: bool,
    output: Path | None,
) -> None:
    """Write what SPLIT holds out, as relevance judgements."""
    from gpt4rec_es.index.live import live_build
    from gpt4rec_es.lab.evaluation import export as exporting
    from gpt4rec_es.lab.splits.queries import queries_of_part
    from gpt4rec_es.options.lists import ANY_TERM

    runtime = get_runtime()
    index = runtime.settings.index_alias
    if fmt == "rank-eval":
        # Judgements name concrete indices: the alias would match no hit.
        index = live_build(runtime.engine, runtime.elastic, index).index_name
    written = None
    if generator is not None:
        with progress_bar("Generating", "prompts") as progress:
            written = queries_of_part(
                runtime.engine,
                generator,
                runtime.generator,
                replace(runtime.decoding, num_queries=num_queries),
                split,
                part,
                progress,
            )
    # Titles of purchases are searched for without options.
    search = ANY_TERM if written is None else runtime.search_options
    options = exporting.QrelOptions(index, k, pseudonyms, search)
    with progress_bar("Exporting", "users") as progress:
        report = exporting.export_qrels(
            runtime.engine, split, part, fmt, output, options, queries=written, progress=progress
        )
    click.echo(f"The held-out items of {report.rows:,} users of {split} exported.", err=True)


@export.command()
@click.argument("number", type=int)
@click.option("--k", type=click.IntRange(min=1), help="Length of the lists. [default: the longest]")
@_PSEUDONYMS
@_OUTPUT
def evaluation(number: int, k: int | None, pseudonyms: bool, output: Path | None) -> None:
    """Write the lists of evaluation NUMBER as a TREC run."""
    from gpt4rec_es.lab.evaluation.export import export_evaluation

    with progress_bar("Exporting", "rows") as progress:
        report = export_evaluation(
            get_runtime().engine, number, k, output, as_analyst=pseudonyms, progress=progress
        )
    click.echo(f"{report.rows:,} rows of evaluation {number} exported.", err=True)


def _export_run(what: str, run_id: str, fmt: str, pseudonyms: bool, output: Path | None) -> None:
    from gpt4rec_es.exports import export as exporting

    with progress_bar("Exporting", "rows") as progress:
        report = exporting.export(
            get_runtime().engine,
            what,
            run_id,
            fmt,
            output,
            as_analyst=pseudonyms,
            progress=progress,
        )
    click.echo(f"{report.rows:,} {what} of {report.run_id} exported.", err=True)
