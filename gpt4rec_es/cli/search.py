"""``gpt4rec search``: one search by hand."""

from typing import TYPE_CHECKING

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_line, print_table

if TYPE_CHECKING:
    from gpt4rec_es.retrieval.ad_hoc import SearchAnswer


@click.command()
@click.argument("text")
@click.option("--k", default=10, show_default=True, help="Number of items to find.")
@click.option("--explain", is_flag=True, help="Show Elasticsearch's explanation of each score.")
@json_option
def search(text: str, k: int, explain: bool, as_json: bool) -> None:
    """Search the catalog for TEXT with the query a night sends.

    Example: gpt4rec search "wooden train set" --k 5
    """
    from gpt4rec_es.retrieval.ad_hoc import search_titles

    runtime = get_runtime()
    found = search_titles(
        runtime.elastic,
        runtime.settings.index_alias,
        text,
        k,
        runtime.search_options,
        explain=explain,
    )
    emit(found, as_json, _render)


def _render(found: "SearchAnswer") -> None:
    print_table(
        ["rank", "score", "item", "title", "brand"],
        [(hit.rank, hit.score, hit.item_id, hit.title, hit.brand) for hit in found.hits],
    )
    explained = [hit for hit in found.hits if hit.terms is not None]
    for hit in explained:
        print_table(
            ["term", "adds", "titles with it", "times here", "title length", "average"],
            [
                (t.term, t.score, t.documents, t.frequency, t.length, t.average_length)
                for t in hit.terms or ()
            ],
            title=f"{hit.rank}. {hit.title}",
        )
    minimum = f", minimum_should_match {asked}" if (asked := found.minimum_should_match) else ""
    print_line(f"index {found.index}, k1 {found.bm25.k1:g}, b {found.bm25.b:g}{minimum}")
    if explained:
        print_line(
            "adds = (k1 + 1) * idf * f / (f + k1 * (1 - b + b * length / average)), "
            "idf = ln(1 + (N - n + 0.5) / (n + 0.5))"
        )
