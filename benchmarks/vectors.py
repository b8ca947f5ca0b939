"""Search by vectors: time, size and recall of each way to search them, beside BM25."""

import tempfile
import time
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import numpy as np
from safetensors.numpy import save_file
from sqlalchemy import text
from tokenizers import Tokenizer, models, pre_tokenizers

from benchmarks.place import Place
from benchmarks.shops import fill_items
from benchmarks.table import Line, megabytes, percent
from gpt4rec_es.index import building
from gpt4rec_es.index.mapping import VectorField
from gpt4rec_es.index.reindex import ReindexOptions, reindex
from gpt4rec_es.records import SearchResult
from gpt4rec_es.reranking.encoder_registry import add_encoder, open_encoder_of
from gpt4rec_es.retrieval.knn import KnnRetriever
from gpt4rec_es.retrieval.msearch import ElasticRetriever

_KINDS: tuple[Literal["flat", "hnsw", "int8_hnsw"], ...] = ("flat", "hnsw", "int8_hnsw")
_DIMS, _HITS, _SEARCHES, _WORDS = 256, 100, 1000, 5000


def measure(place: Place, items: int) -> list[Line]:
    """Return the figures of ``items`` items, 1,000 searches for 100 hits each."""
    fill_items(place, items)
    options = ReindexOptions(alias=place.alias, keep=0)
    texts = _texts(place)
    report = reindex(place.engine, place.elastic, options, actor="bench")
    index = report.build.index_name
    lines = [Line(f"bm25, {items:,}: reindex", f"{report.seconds:.1f} s"), _size(place, index)]
    lines.append(_time(ElasticRetriever(place.elastic, index), texts)[0])
    with tempfile.TemporaryDirectory() as folder:
        _save_words(Path(folder))
        row = add_encoder(place.engine, "bench", "static", path=Path(folder), actor="bench")
        if row is None:
            raise RuntimeError("it was no dry run")
        encoder = open_encoder_of(place.engine, row)
    options = ReindexOptions(
        alias=place.alias, keep=0, encoder="bench", open_encoder=lambda _: encoder
    )
    exact: list[SearchResult] = []
    for kind in _KINDS:
        field = VectorField(row.content_hash, row.dims, kind)
        with patch.object(building, "field_for", lambda *_, field=field: field):
            report = reindex(place.engine, place.elastic, options, actor="bench")
        index = report.build.index_name
        new = f", {report.encoded:,} titles encoded" if report.encoded else ""
        lines += [Line(f"{kind}: reindex", f"{report.seconds:.1f} s{new}"), _size(place, index)]
        line, found = _time(KnnRetriever(place.elastic, index, encoder), texts)
        exact = exact or found
        lines += [line, Line(f"{kind}: recall of {_HITS}", percent(_recall(found, exact)))]
    return lines


def _time(retriever: ElasticRetriever, texts: list[str]) -> tuple[Line, list[SearchResult]]:
    retriever.search(texts[:100], _HITS)
    started = time.monotonic()
    found = retriever.search(texts, _HITS)
    seconds = time.monotonic() - started
    return Line(f"{len(texts):,} searches", f"{seconds:.2f} s"), found


def _size(place: Place, index: str) -> Line:
    stats = place.elastic.indices.stats(index=index, metric="store")
    size = stats["_all"]["primaries"]["store"]["size_in_bytes"]
    return Line("index", megabytes(size))


def _recall(found: list[SearchResult], exact: list[SearchResult]) -> float:
    pairs = zip(found, exact, strict=True)
    shared = sum(len(set(a.item_nos) & set(b.item_nos)) for a, b in pairs)
    return shared / sum(len(one.item_nos) for one in exact)


def _texts(place: Place) -> list[str]:
    with place.engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT DISTINCT array_to_string((string_to_array(title, ' '))[2:4], ' ') AS t "
                "FROM items ORDER BY t LIMIT :n"
            ),
            {"n": _SEARCHES},
        )
        return list(found.scalars())


def _save_words(folder: Path) -> None:
    """Write a random vector for each word of titles."""
    random = np.random.default_rng(1)
    table = random.normal(size=(_WORDS + 1, _DIMS)).astype(np.float32)
    save_file({"words": table}, folder / "model.safetensors")
    vocabulary = {"[UNK]": 0} | {f"w{number}": number + 1 for number in range(_WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106 - no secret
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
