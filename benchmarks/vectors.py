"""Search by vectors: time, size and recall of each way to search them, beside BM25.

As a part of the suite on titles of random words; ``python -m benchmarks.vectors DATA --encoder
static=FOLDER`` on the titles of a data set, by encoders that a shop could take.
"""

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args
from unittest.mock import patch

import click
import numpy as np
from elasticsearch import Elasticsearch
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from benchmarks.baselines import read_rows
from benchmarks.place import Place, scratch
from benchmarks.shops import fill_items
from benchmarks.table import Line, machine, megabytes
from gpt4rec_es.db.rows import items as rows
from gpt4rec_es.index import building
from gpt4rec_es.index.mapping import VectorField
from gpt4rec_es.index.reindex import ReindexOptions, reindex
from gpt4rec_es.index.title_vectors import EXACT_UP_TO, field_for
from gpt4rec_es.lab.evaluation.nearest_titles import EncodedTitles
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.records import SearchResult
from gpt4rec_es.reranking.encoder_registry import add_encoder, open_encoder_of
from gpt4rec_es.retrieval.knn import KnnRetriever
from gpt4rec_es.retrieval.msearch import ElasticRetriever

Kind = Literal["flat", "hnsw", "int8_hnsw"]
_DIMS, _HITS, _SEARCHES, _WORDS = 256, 100, 1000, 5000


def measure(place: Place, items: int) -> list[Line]:
    """Return the figures of ``items`` titles of random words.

    All ways to search are compared in a catalog that nights search exactly; in a larger one, whose
    exact search takes seconds, the graph alone.
    """
    fill_items(place, items)
    titles = _titles(place).values()
    texts = sorted({" ".join(title.split()[1:4]) for title in titles})[:_SEARCHES]
    kinds: tuple[Kind, ...] = ("flat", "hnsw", "int8_hnsw") if items <= EXACT_UP_TO else ("hnsw",)
    with tempfile.TemporaryDirectory() as folder:
        _save_words(Path(folder))
        by_kind = _by_vectors(place, "static", Path(folder), texts, kinds)
        return [*_by_words(place, texts), *by_kind]


def _by_words(place: Place, texts: Sequence[str]) -> Iterator[Line]:
    options = ReindexOptions(alias=place.alias, keep=0)
    report = reindex(place.engine, place.elastic, options, actor="bench")
    index = report.build.index_name
    yield Line(f"bm25, {report.documents:,} titles: reindex", f"{report.seconds:.1f} s")
    yield _size(place, index)
    yield _search(place.elastic, ElasticRetriever(place.elastic, index), texts)[0]


def _by_vectors(
    place: Place, kind: str, folder: Path, texts: Sequence[str], ways: Sequence[Kind | None]
) -> Iterator[Line]:
    """Yield the figures of an encoder for each of ``ways`` to search; None: that of nights."""
    row = add_encoder(place.engine, kind, kind, path=folder, actor="bench")
    if row is None:
        raise RuntimeError("it was no dry run")
    encoder = open_encoder_of(place.engine, row)
    started = time.monotonic()
    encoder.encode(texts)
    yield Line(f"{kind}: {len(texts):,} texts encoded", f"{time.monotonic() - started:.2f} s")
    options = ReindexOptions(
        alias=place.alias, keep=0, encoder=row.name, open_encoder=lambda _: encoder
    )
    for way in ways:
        with patch.object(building, "field_for", _field(way)):
            report = reindex(place.engine, place.elastic, options, actor="bench")
        index, new = report.build.index_name, report.encoded
        name = f"{kind}, {way or field_for(row, report.documents).kind}"
        yield Line(
            f"{name}: reindex", f"{report.seconds:.1f} s" + f", {new:,} titles encoded" * bool(new)
        )
        yield _size(place, index)
        titles = _titles(place)
        with place.engine.connect() as connection:
            ids = rows.load_ids(connection)
        catalog = (place.engine, ids, titles, frozenset(titles))
        exact, _ = EncodedTitles(*catalog, GeneratorOptions()).by(row.name)
        if exact is None:
            raise RuntimeError("it was given a name")
        line, found = _search(place.elastic, KnnRetriever(place.elastic, index, encoder), texts)
        yield line
        recall = _recall(found, exact.search(texts, _HITS))
        yield Line(f"{name}: of the exact {_HITS} hits", f"{recall:.4f}")


def _field(way: Kind | None) -> object:
    if way is None:
        return field_for
    return lambda row, _: VectorField(row.content_hash, row.dims, way)


def _search(
    client: Elasticsearch, retriever: ElasticRetriever, texts: Sequence[str]
) -> tuple[Line, list[SearchResult]]:
    """Return the times of a search, and what it found.

    Seconds of the processors, of this process and the server, hardly depend on other load.
    """
    retriever.search(texts[:20], _HITS)
    started, used = time.monotonic(), _processor_seconds(client)
    found = retriever.search(texts, _HITS)
    seconds, used = time.monotonic() - started, _processor_seconds(client) - used
    shown = f"{seconds:.1f} s, {used:.1f} s of processors"
    return Line(f"{len(texts):,} searches for {_HITS} hits", shown), found


def _processor_seconds(client: Elasticsearch) -> float:
    nodes = client.nodes.stats(metric="process")["nodes"].values()
    server = sum(node["process"]["cpu"]["total_in_millis"] for node in nodes) / 1000
    return time.process_time() + float(server)


def _size(place: Place, index: str) -> Line:
    stats = place.elastic.indices.stats(index=index, metric="store")
    size = stats["_all"]["primaries"]["store"]["size_in_bytes"]
    return Line("index", megabytes(size))


def _recall(found: list[SearchResult], exact: list[SearchResult]) -> float:
    pairs = zip(found, exact, strict=True)
    shared = sum(len(set(a.item_nos) & set(b.item_nos)) for a, b in pairs)
    return shared / sum(len(one.item_nos) for one in exact)


def _titles(place: Place) -> dict[int, str]:
    with place.engine.connect() as connection:
        return rows.load_titles(connection)


def _save_words(folder: Path) -> None:
    """Write a random vector for each word of titles."""
    chance = np.random.default_rng(1)
    table = chance.normal(size=(_WORDS + 1, _DIMS)).astype(np.float32)
    save_file({"words": table}, folder / "model.safetensors")
    vocabulary = {"[UNK]": 0} | {f"w{number}": number + 1 for number in range(_WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106 - no secret
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))


def read_titles(
    data: Path, size: int | None = None, searches: int = _SEARCHES
) -> tuple[list[str], list[str]]:
    """Return the titles of a catalog, and those of ``searches``.

    size: that many titles instead, of the first half of one title and the second half of another.
    """
    read = [" ".join(row["title"].split()) for row in read_rows(data / "items.csv.gz")]
    titles = [title for title in read if title]
    chance = random.Random(1)
    texts = chance.sample(sorted(set(titles)), min(searches, len(set(titles))))
    if size is None:
        return titles, texts
    pairs = ([one.split() for one in chance.choices(titles, k=2)] for _ in range(size))
    return [" ".join(a[: len(a) // 2] + b[len(b) // 2 :]) for a, b in pairs], texts


def measure_catalog(
    place: Place,
    titles: Sequence[str],
    texts: Sequence[str],
    encoders: Sequence[tuple[str, Path]],
    ways: Sequence[Kind | None] = (None,),
) -> Iterator[Line]:
    """Yield the figures of a catalog with ``titles``, by words and by encoders (kind, folder).

    ways: to search; None: that of nights.
    """
    place.run(
        "INSERT INTO items (item_id, title, title_raw, version) "
        "SELECT 'i' || lpad(n::text, 7, '0'), t, t, 1 "
        "FROM unnest(CAST(:titles AS text[])) WITH ORDINALITY AS made (t, n)",
        titles=list(titles),
    )
    place.run("UPDATE catalog_state SET catalog_version = 1")
    yield from _by_words(place, texts)
    for kind, folder in encoders:
        yield from _by_vectors(place, kind, folder, texts, ways)


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--encoder",
    "encoders",
    multiple=True,
    metavar="KIND=FOLDER",
    help="Encoder to measure: static=FOLDER or folder=FOLDER; one of each.",
)
@click.option("--size", type=click.IntRange(1), help="A catalog of N titles made of halves of its.")
@click.option("--searches", default=_SEARCHES, show_default=True, type=click.IntRange(1))
@click.option(
    "--index",
    "ways",
    multiple=True,
    type=click.Choice(get_args(Kind)),
    help="Kind of vector index, repeatable. [default: that of nights]",
)
def main(
    data: Path, encoders: tuple[str, ...], size: int | None, searches: int, ways: tuple[Kind, ...]
) -> None:
    """Measure searches of the titles in DATA/items.csv.gz; print a Markdown table."""
    named = [one.partition("=")[::2] for one in encoders]
    if len({kind for kind, _ in named}) < len(named):
        raise click.UsageError("Give one encoder of each kind.")
    with scratch() as place:
        click.echo(f"{machine(place)}\n\n| what | found | goal | |\n|---|---|---|---|")
        found = [(kind, Path(folder)) for kind, folder in named]
        for line in measure_catalog(
            place, *read_titles(data, size, searches), found, ways or (None,)
        ):
            click.echo(line.markdown())


if __name__ == "__main__":
    main()
