"""``gpt4rec export``: lists, queries and held-out items as files, in the shop's own ids."""

from dataclasses import replace
from pathlib import Path

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import part_option, run_option
from gpt4rec_es.cli.output import plural
from gpt4rec_es.cli.progress import progress_bar

_OUTPUT = click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    callback=lambda _ctx, _option, path: None if path is not None and str(path) == "-" else path,
    help="File to write; created only when complete. [default: stdout]",
)
_PSEUDONYMS = click.option(
    "--pseudonyms",
    is_flag=True,
    help="Write the user ids that analysts see instead of the shop's own.",
)
_EXACT = click.option(
    "--exact",
    is_flag=True,
    help="Write CSV cells as they are stored; without it, cells that a spreadsheet would read as a "
    "formula (ids that begin with = + - or @) get an apostrophe.",
)
# Formats of each export; the first is the default.
_LISTS = ("jsonl", "csv", "parquet", "trec")
_QUERIES = _LISTS[:-1]
_QRELS = ("trec", "rre", "quepid", "rank-eval")


@click.group()
def export() -> None:
    """Export lists, queries or held-out items to a file, with the shop's own ids."""


@export.command()
@run_option
@click.option(
    "--format",
    "fmt",
    type=click.Choice(_LISTS),
    help="File format; trec: a TREC run. [default: by the extension of --output, else jsonl]",
)
@_PSEUDONYMS
@_EXACT
@_OUTPUT
def recommendations(
    run_id: str, fmt: str | None, pseudonyms: bool, exact: bool, output: Path | None
) -> None:
    """Export the recommendations of a run.

    Example: gpt4rec export recommendations --output lists.csv
    """
    _export_run("recommendations", run_id, fmt, _LISTS, pseudonyms, exact, output)


@export.command()
@run_option
@click.option(
    "--format",
    "fmt",
    type=click.Choice(_QUERIES),
    help="File format. [default: by the extension of --output, else jsonl]",
)
@_PSEUDONYMS
@_EXACT
@_OUTPUT
def queries(
    run_id: str, fmt: str | None, pseudonyms: bool, exact: bool, output: Path | None
) -> None:
    """Export the generated queries of a run.

    Example: gpt4rec export queries --output queries.csv
    """
    _export_run("queries", run_id, fmt, _QUERIES, pseudonyms, exact, output)


@export.command()
@click.argument("split", shell_complete=names("split"))
@part_option()
@click.option(
    "--format",
    "fmt",
    type=click.Choice(_QRELS),
    help="File format; trec: qrels; rre: JSON of the Rated Ranking Evaluator; quepid: CSV; "
    "rank-eval: bodies of Elasticsearch's _rank_eval, one per line. [default: by the extension of "
    "--output, else trec]",
)
@click.option(
    "--generator",
    shell_complete=names("generator"),
    help="Generator of the search queries; not for trec. [default: the newest known title is the "
    "query]",
)
@click.option(
    "--num-queries",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Queries per user, with --generator.",
)
@click.option(
    "--k",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="K of rank-eval's metric.",
)
@_PSEUDONYMS
@_OUTPUT
def qrels(
    split: str,
    part: str,
    fmt: str | None,
    generator: str | None,
    num_queries: int,
    k: int,
    pseudonyms: bool,
    output: Path | None,
) -> None:
    """Export the held-out items of SPLIT as relevance judgements (qrels).

    Example: gpt4rec export qrels beauty --output beauty.qrels
    """
    from gpt4rec_es.exports.formats import QREL_EXTENSIONS, choose_format
    from gpt4rec_es.index.live import live_build
    from gpt4rec_es.lab.evaluation import export as exporting
    from gpt4rec_es.lab.splits.queries import queries_of_part
    from gpt4rec_es.options.lists import ANY_TERM

    fmt = choose_format(fmt, output, _QRELS, QREL_EXTENSIONS)
    runtime = get_runtime()
    index = runtime.settings.index_alias
    if fmt == "rank-eval":
        # Judgements name concrete indices: the alias would match no hit.
        index = live_build(runtime.engine, runtime.elastic, index).index_name
    written, recipe = None, runtime.recipe.recipe
    if generator is not None:
        with progress_bar("Generating", "prompts") as progress:
            written = queries_of_part(
                runtime.engine,
                generator,
                runtime.generator,
                replace(
                    recipe.decoding,
                    num_queries=num_queries,
                    num_beams=max(num_queries, recipe.decoding.num_beams),
                ),
                split,
                part,
                progress,
            )
    # Titles of purchases are searched for without options.
    search = ANY_TERM if written is None else recipe.search
    options = exporting.QrelOptions(index, k, pseudonyms, search)
    with progress_bar("Exporting", "users") as progress:
        report = exporting.export_qrels(
            runtime.engine, split, part, fmt, output, options, queries=written, progress=progress
        )
    click.echo(
        f"The held-out items of {plural(report.rows, 'user')} of {split} exported.", err=True
    )


@export.command()
@click.argument("number", type=int)
@click.option("--k", type=click.IntRange(min=1), help="List length K. [default: the longest]")
@_PSEUDONYMS
@_OUTPUT
def evaluation(number: int, k: int | None, pseudonyms: bool, output: Path | None) -> None:
    """Export the lists of evaluation NUMBER as a TREC run.

    Example: gpt4rec export evaluation 3 --output run.trec
    """
    from gpt4rec_es.exports.formats import choose_format
    from gpt4rec_es.lab.evaluation.export import export_evaluation

    choose_format(None, output, ("trec",))
    with progress_bar("Exporting", "rows") as progress:
        report = export_evaluation(
            get_runtime().engine, number, k, output, as_analyst=pseudonyms, progress=progress
        )
    click.echo(f"{plural(report.rows, 'row')} of evaluation {number} exported.", err=True)


def _export_run(
    what: str,
    run_id: str,
    fmt: str | None,
    formats: tuple[str, ...],
    pseudonyms: bool,
    exact: bool,
    output: Path | None,
) -> None:
    from gpt4rec_es.exports import export as exporting
    from gpt4rec_es.exports.formats import choose_format

    chosen = choose_format(fmt, output, formats)
    with progress_bar("Exporting", "rows") as progress:
        report = exporting.export(
            get_runtime().engine,
            what,
            run_id,
            chosen,
            output,
            as_analyst=pseudonyms,
            exact=exact,
            progress=progress,
        )
    click.echo(f"{report.rows:,} {what} of {report.run_id} exported.", err=True)
