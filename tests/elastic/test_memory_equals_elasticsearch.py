"""In-process BM25 equals the server's: hits, order, and scores to the last bit."""

import csv
import gzip
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.similarity import read_bm25, similarity_settings
from gpt4rec_es.errors import UsageError
from gpt4rec_es.index.mapping import Analysis, encode_document, index_body
from gpt4rec_es.lab.bm25.build import TITLE_ANALYZER, memory_index, server_analyzer
from gpt4rec_es.lab.bm25.index import MemoryIndex
from gpt4rec_es.lab.bm25.retriever import MemoryRetriever
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.records import Bm25, Document, SearchResult
from gpt4rec_es.retrieval import ElasticRetriever

SAMPLE = Path(__file__).parents[2] / "data" / "online-retail-ii-sample" / "items.csv.gz"
DEPTH = 40
# Titles with repeated words, many words, other scripts and planes, and empty ones.
ODD_TITLES = [
    "red red red candle",
    "candle candle",
    "candle " * 300,
    " ".join(f"word{n}" for n in range(60)) + " lantern",
    " ".join(f"word{n}" for n in range(130)) + " lantern",
    "\U0001f56f\U0001f56f candle \U0001d4e1 retro",
    "bougie été Straße İstanbul",
    "蝋燭 香り candle",
    "a/b/c 3.5mm O'Neill's",
    "!!! ---",
]


@dataclass(frozen=True)
class Catalog:
    index: str
    memory: MemoryIndex
    queries: list[str]


def documents() -> list[Document]:
    with gzip.open(SAMPLE, "rt", encoding="utf-8", newline="") as file:
        rows = [(row["item_id"], row["title"]) for row in csv.DictReader(file)]
    # Duplicate titles, so that there are ties, with ids that sort before and after the original's.
    twins = [
        (f"{'0' if n % 2 else 'z'}{item_id}", title)
        for n, (item_id, title) in enumerate(rows)
        if n % 40 == 0
    ]
    odd = [(f"odd{n}", title) for n, title in enumerate(ODD_TITLES)]
    everything = rows + twins + odd
    random.Random(3).shuffle(everything)
    return [
        Document(number, item_id, title, None, None, None, is_active=number % 23 > 0)
        for number, (item_id, title) in enumerate(everything)
    ]


def real_looking_queries(titles: list[str], count: int) -> list[str]:
    """Return titles unchanged, truncated, mixed, and with repeated or unknown words."""
    chance = random.Random(7)
    queries = ["", "!!!", "nothingofthesort", *ODD_TITLES]
    while len(queries) < count:
        words = chance.choice(titles).split()
        other = chance.choice(titles).split()
        queries.append(
            chance.choice(
                [
                    " ".join(words),
                    " ".join(words[: chance.randint(1, 4)]),
                    " ".join(words[:3] + other[-3:]),
                    " ".join([*words, words[0], *other[:1]]),
                    " ".join([*words[-2:], "unheardof"]),
                ]
            )
        )
    return queries


def make_catalog(elastic: Elasticsearch, index: str, analysis: Analysis) -> Catalog:
    found = documents()
    elastic.indices.create(index=index, **index_body(Bm25(), analysis))
    answer = elastic.bulk(index=index, body=b"".join(map(encode_document, found)), refresh=True)
    assert not answer["errors"]
    elastic.indices.forcemerge(index=index, max_num_segments=1)
    memory = memory_index(found, server_analyzer(elastic, index, TITLE_ANALYZER))
    return Catalog(index, memory, real_looking_queries([d.title for d in found], 1_000))


@pytest.fixture(scope="module")
def catalog(elastic: Elasticsearch, module_alias: str) -> Catalog:
    return make_catalog(elastic, f"{module_alias}-1", Analysis())


def as_single(result: SearchResult) -> tuple[object, ...]:
    """Round scores to single precision, which the server writes as decimal numbers."""
    scores = np.array(result.scores, np.float32).tolist()
    return (result.item_nos, scores, result.exhausted, result.is_empty_query)


def differing(
    elastic: Elasticsearch, catalog: Catalog, bm25: Bm25, options: SearchOptions = ANY_TERM
) -> list[tuple[object, ...]]:
    """Return the queries with different results, and both results."""
    expected = ElasticRetriever(elastic, catalog.index).search(catalog.queries, DEPTH, options)
    retriever = MemoryRetriever(catalog.memory, bm25, server_analyzer(elastic, catalog.index))
    actual = retriever.search(catalog.queries, DEPTH, options)
    least = 700 if options == ANY_TERM else 1
    assert sum(len(result.item_nos) == DEPTH for result in expected) > least
    return [
        (text, one, other)
        for text, one, other in zip(catalog.queries, actual, expected, strict=True)
        if as_single(one) != as_single(other)
    ]


@pytest.mark.parametrize(
    "bm25", [Bm25(), Bm25(0.3, 1.0), Bm25(2.9, 0.4), Bm25(0.0, 0.5), Bm25(40.0, 1.0)]
)
def test_same_hits_order_and_scores(elastic: Elasticsearch, catalog: Catalog, bm25: Bm25) -> None:
    elastic.indices.put_settings(
        index=catalog.index, settings=similarity_settings(bm25, {}), reopen=True
    )
    elastic.cluster.health(index=catalog.index, wait_for_status="green", timeout="30s")
    assert differing(elastic, catalog, bm25) == []


@pytest.mark.parametrize(
    "required",
    ["75%", "50%", "100%", "2", "3", "-1", "-25%", "-2", "0%", "3<75%", "2<-25% 9<-3", "40"],
)
def test_same_where_more_terms_must_match(
    elastic: Elasticsearch, catalog: Catalog, required: str
) -> None:
    bm25 = read_bm25(elastic, catalog.index)
    assert differing(elastic, catalog, bm25, SearchOptions(required)) == []


def test_repeated_words_count_and_are_scored_one_by_one(
    elastic: Elasticsearch, catalog: Catalog
) -> None:
    queries = [" ".join(["candle"] * n + rest) for n in range(1, 8) for rest in ([], ["red", "x"])]
    mine = Catalog(catalog.index, catalog.memory, queries)
    for required in ("2", "4", "-1", "90%"):
        bm25 = read_bm25(elastic, catalog.index)
        assert differing(elastic, mine, bm25, SearchOptions(required)) == []


def test_same_with_stems_and_stop_words(elastic: Elasticsearch, module_alias: str) -> None:
    catalog = make_catalog(elastic, f"{module_alias}-english", Analysis("english"))
    assert differing(elastic, catalog, Bm25()) == []


def test_tokens_stay_with_their_text(elastic: Elasticsearch, catalog: Catalog) -> None:
    analyze = server_analyzer(elastic, catalog.index)
    texts = ["", *ODD_TITLES, "", " plain ", "!"] * 40
    together = analyze(texts)
    alone = {text: analyze([text])[0] for text in set(texts)}
    assert together == [alone[text] for text in texts]
    assert alone[" plain "] == ["plain"]


def test_synonyms_are_refused(elastic: Elasticsearch, module_alias: str) -> None:
    index = f"{module_alias}-synonyms"
    analysis = Analysis(synonyms=("candle, taper",))
    elastic.indices.create(index=index, **index_body(Bm25(), analysis))
    analyze = server_analyzer(elastic, index)
    assert analyze(["red lantern"]) == [["red", "lantern"]]
    with pytest.raises(UsageError, match="no synonyms"):
        analyze(["red candle"])
