"""Time of a whole BM25 grid on one core: 30 x 11 points, 10,000 queries, 12,000 titles.

Run it pinned: ``taskset -c 0 python -m benchmarks.tuning``. Compare CPU seconds, because other
programs may share the machine. By default the catalog is synthetic (Zipf-Mandelbrot words,
log-normal title lengths); queries are prefixes of titles.
"""

import csv
import gzip
import itertools
import time
from pathlib import Path

import click
import numpy as np

from gpt4rec_es.lab.bm25.grid import MemoryGrid
from gpt4rec_es.lab.bm25.index import MemoryIndex, TokenizedTitle
from gpt4rec_es.records import Bm25

GOAL_S = 60


def made_up_titles(count: int, words: int, seed: int) -> list[list[str]]:
    """Return titles of mean 11 words with word frequencies as in real texts."""
    chance = np.random.default_rng(seed)
    shares = 1 / (np.arange(words) + 2.7) ** 1.05
    lengths = np.maximum(1, chance.lognormal(np.log(9.7), 0.5, count)).astype(int)
    drawn = chance.choice(words, lengths.sum(), p=shares / shares.sum())
    parts = np.split(drawn, np.cumsum(lengths)[:-1])
    return [[f"w{word}" for word in part] for part in parts]


def read_titles(path: Path) -> list[list[str]]:
    """Return the titles of an items file (item_id, title, ...), split at blanks."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [row["title"].lower().split() for row in csv.DictReader(file)]


def pieces(titles: list[list[str]], count: int, longest: int, seed: int) -> list[list[str]]:
    """Return queries: the beginnings of titles drawn at random."""
    chance = np.random.default_rng(seed)
    drawn = chance.integers(0, len(titles), count)
    sizes = chance.integers(3, longest + 1, count)
    return [titles[place][:size] for place, size in zip(drawn, sizes, strict=True)]


def postings_per_query(index: MemoryIndex, queries: list[list[str]]) -> float:
    """Return the mean number of postings of a query's terms."""
    slots = index.look_up(queries)
    return float((index.starts[slots.terms + 1] - index.starts[slots.terms]).sum() / len(queries))


@click.command()
@click.option("--items", type=click.Path(path_type=Path, exists=True), help="items.csv.gz to use.")
@click.option("--titles", default=12_000, show_default=True, help="Titles to make up.")
@click.option("--queries", default=10_000, show_default=True)
@click.option("--longest-query", default=12, show_default=True, help="Words.")
@click.option("--depth", default=40, show_default=True, help="Hits per query.")
@click.option("--k1", "n_k1", default=30, show_default=True, help="Number of values of k1.")
@click.option("--b", "n_b", default=11, show_default=True, help="Number of values of b.")
def main(
    items: Path | None,
    titles: int,
    queries: int,
    longest_query: int,
    depth: int,
    n_k1: int,
    n_b: int,
) -> None:
    """Search QUERIES at all points of a grid and print what it cost."""
    texts = read_titles(items) if items else made_up_titles(titles, 20_000, seed=1)
    index = MemoryIndex([TokenizedTitle(f"{n:07}", n, text) for n, text in enumerate(texts)])
    asked = pieces(texts, queries, longest_query, seed=2)
    grid = list(itertools.product(np.linspace(0, 3, n_k1), np.linspace(0, 1, n_b)))
    postings = postings_per_query(index, asked)
    click.echo(f"{len(index):,} titles; {queries:,} queries of {postings:,.0f} postings each")
    for points in ([Bm25()], [Bm25(round(k1, 6), round(b, 6)) for k1, b in grid]):
        started = time.process_time()
        for _ in MemoryGrid(index, points, depth).search(asked):
            pass
        seconds = time.process_time() - started
        searches = len(points) * queries
        click.echo(
            f"{len(points):4} points: {seconds:6.1f} CPU s, {searches / seconds:9,.0f} searches/s, "
            f"{seconds / searches / postings * 1e9:6.2f} ns per posting and point"
        )
    click.echo(
        f"goal for the grid: {GOAL_S} s on one core: {'met' if seconds <= GOAL_S else 'MISSED'}"
    )


if __name__ == "__main__":
    main()
