"""``gpt4rec search`` for items, and ``gpt4rec queries`` for generated queries."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import fields_option, json_option
from gpt4rec_es.cli.output import emit, print_line, print_table
from gpt4rec_es.errors import UsageError

if TYPE_CHECKING:
    from gpt4rec_es.db.rows.analysts import FoundQuery
    from gpt4rec_es.retrieval.ad_hoc import SearchAnswer
    from gpt4rec_es.retrieval.nearest import NearestAnswer


@click.command()
@click.argument("text")
@click.option("--k", default=10, show_default=True, help="Number of items to find.")
@click.option("--explain", is_flag=True, help="Show Elasticsearch's explanation of each score.")
@click.option(
    "--encoder",
    shell_complete=names("encoder"),
    help="Compare vectors by this registered encoder instead of words.",
)
@fields_option
@json_option
def search(
    text: str, k: int, explain: bool, encoder: str | None, fields: Any, as_json: bool
) -> None:
    """Search the catalog for TEXT with the query a night sends.

    Example: gpt4rec search "wooden train set" --k 5
    """
    from gpt4rec_es.retrieval.ad_hoc import search_titles

    runtime = get_runtime()
    if encoder is not None:
        if explain or fields is not None:
            raise UsageError(
                "A cosine has no explanation, and compares titles alone.",
                "Leave --explain and --fields out.",
            )
        emit(_nearest(text, k, encoder), as_json, _print_nearest)
        return
    options = runtime.recipe.recipe.search
    found = search_titles(
        runtime.elastic,
        runtime.settings.index_alias,
        text,
        k,
        options if fields is None else replace(options, fields=fields),
        explain=explain,
    )
    emit(found, as_json, _print_hits)


def _nearest(text: str, k: int, encoder: str) -> "NearestAnswer":
    from gpt4rec_es.reranking.encoder_registry import show_encoder
    from gpt4rec_es.retrieval.nearest import search_nearest

    runtime = get_runtime()
    opened = runtime.encoder(show_encoder(runtime.engine, encoder))
    return search_nearest(runtime.elastic, runtime.settings.index_alias, text, k, opened)


def _print_nearest(found: "NearestAnswer") -> None:
    if not found.hits:
        print_line("The encoder knows no word of the text.")
    else:
        print_table(
            ["rank", "cosine", "item", "title", "brand"],
            [(hit.rank, hit.cosine, hit.item_id, hit.title, hit.brand) for hit in found.hits],
        )
    print_line(f"index {found.index}")


def _print_hits(found: "SearchAnswer") -> None:
    from gpt4rec_es.options.lists import SearchOptions

    print_table(
        ["rank", "score", "item", "title", "brand"],
        [(hit.rank, hit.score, hit.item_id, hit.title, hit.brand) for hit in found.hits],
    )
    explained = [hit for hit in found.hits if hit.terms is not None]
    for hit in explained:
        terms = hit.terms or ()
        print_table(
            ["field", "term", "adds", "texts with it", "times here", "length", "average"],
            [
                (t.field, t.term, t.score, t.documents, t.frequency, t.length, t.average_length)
                for t in terms
            ],
            title=f"{hit.rank}. {hit.title}",
        )
        if found.fields:
            sums = [(name, sum(t.score for t in terms if t.field == name)) for name in found.fields]
            title = hit.score - sum(score for _, score in sums)
            print_line(" + ".join(f"{n} {s:.3f}" for n, s in [("title", title), *sums]))
    options = SearchOptions(found.minimum_should_match, tuple(found.fields.items()))
    print_line(f"index {found.index}, k1 {found.bm25.k1:g}, b {found.bm25.b:g}{options.shown}")
    if explained:
        print_line(
            "adds = weight * (k1 + 1) * idf * f / (f + k1 * (1 - b + b * length / average)), "
            "idf = ln(1 + (N - n + 0.5) / (n + 0.5))"
        )


@click.group()
def queries() -> None:
    """Find generated queries."""


@queries.command()
@click.argument("words", nargs=-1, required=True)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="Maximum number of queries to show.",
)
@json_option
def find(words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find generated queries that contain all WORDS; users and hits are of the newest date.

    Supports phrases in quotes, `or`, and `-word` (after `--`).

    Example: gpt4rec queries find wooden train
    """
    from gpt4rec_es.db.engine import transaction
    from gpt4rec_es.db.rows.analysts import find_queries

    with transaction(get_runtime().engine) as connection:
        found = find_queries(connection, " ".join(words), limit)
    emit(found, as_json, _print_queries)


def _print_queries(rows: "list[FoundQuery]") -> None:
    of_nights = [row for row in rows if row.logical_date]
    columns = ["query", "date", "users", "hits"]
    cells: list[list[Any]] = [
        [row.query, row.logical_date, row.users, f"{row.hits}+" if row.has_more_hits else row.hits]
        for row in of_nights
    ]
    if any(row.example_titles for row in of_nights):
        columns.append("examples of users' last titles")
        for line, row in zip(cells, of_nights, strict=True):
            line.append("; ".join(row.example_titles or ()) or None)
    if of_nights or not rows:
        print_table(columns, cells)
    others = [row.query for row in rows if not row.logical_date]
    if others:
        print_line("In no published night (from an evaluation, or a title of a purchase):")
    for query in others:
        print_line(f"  {query}")
