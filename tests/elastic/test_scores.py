"""Scores on the real server compared with the BM25 formula."""

import math

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.elastic.similarity import explained_bm25, read_bm25
from gpt4rec_es.index.bm25 import set_bm25
from gpt4rec_es.index.bulk import load_documents
from gpt4rec_es.index.create import create_index, seal_index
from gpt4rec_es.index.inspect import applied_bm25, explain_title
from gpt4rec_es.index.mapping import Analysis, index_body
from gpt4rec_es.options.lists import SearchOptions
from gpt4rec_es.records import Bm25, Document
from gpt4rec_es.retrieval import ElasticRetriever
from gpt4rec_es.retrieval.ad_hoc import search_titles
from tests.databases import Database
from tests.elastic.catalogs import add_items, build_index, find

TITLES = {
    "A": "red red candle",
    "B": "red candle holder with handle",
    "C": "green candle",
    "D": "lamp",
}


@pytest.fixture
def engine(database: Database) -> Engine:
    add_items(database.engine, TITLES.items())
    # Not active: not found, but counted in the statistics.
    add_items(database.engine, [("E", "red lamp of glass")], is_active=False)
    return database.engine


def score(title: str, query: str, bm25: Bm25) -> float:
    """Return Lucene's BM25 score over the five titles."""
    titles = [*TITLES.values(), "red lamp of glass"]
    words = title.split()
    average = sum(len(other.split()) for other in titles) / len(titles)
    total = 0.0
    for term in query.split():
        documents = sum(term in other.split() for other in titles)
        idf = math.log(1 + (len(titles) - documents + 0.5) / (documents + 0.5))
        if not (frequency := words.count(term)):
            continue
        norm = bm25.k1 * (1 - bm25.b + bm25.b * len(words) / average)
        total += (bm25.k1 + 1) * idf * frequency / (frequency + norm)
    return total


@pytest.mark.parametrize("bm25", [Bm25(), Bm25(0.3, 1.0), Bm25(2.0, 0.0), Bm25(0.0, 0.5)])
def test_scores_are_those_worked_out_by_hand(
    engine: Engine, elastic: Elasticsearch, alias: str, bm25: Bm25
) -> None:
    build = build_index(engine, elastic, alias).build
    if bm25 != Bm25():
        changed = set_bm25(engine, elastic, alias, bm25, actor="me", reason=None).after
        assert changed is not None
        build = changed
    query = "red candle lamp"
    (result,) = ElasticRetriever(elastic, build.index_name).search([query], 10)
    expected = {
        number: score(title, query, bm25) for number, title in enumerate(TITLES.values(), start=1)
    }
    assert dict(zip(result.item_nos, result.scores, strict=True)) == pytest.approx(
        expected, rel=1e-5
    )
    explanation = explain_title(elastic, build.index_name, "A", query)
    assert explanation["value"] == pytest.approx(expected[1], rel=1e-5)
    (used,) = explained_bm25(explanation)
    assert (used.k1, used.b) == (pytest.approx(bm25.k1), pytest.approx(bm25.b))
    assert read_bm25(elastic, build.index_name) == bm25
    assert applied_bm25(elastic, build.index_name, [("A", "red"), ("D", "lamp")]) == {used}


def test_k1_and_b_change_the_order_as_they_should(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    build_index(engine, elastic, alias)
    # With k1 = 0 only the idf counts: "lamp" and "candle" tie.
    set_bm25(engine, elastic, alias, Bm25(0.0, 0.0), actor="me", reason=None)
    assert find(engine, elastic, alias, "red candle") == ["A", "B", "C"]
    scores = [hit.score for hit in search_titles(elastic, alias, "red candle", 10).hits]
    assert scores[0] == scores[1]
    set_bm25(engine, elastic, alias, Bm25(2.0, 1.0), actor="me", reason=None)
    scores = [hit.score for hit in search_titles(elastic, alias, "red candle", 10).hits]
    assert scores[0] > scores[1]


def test_search_shows_the_arithmetic(engine: Engine, elastic: Elasticsearch, alias: str) -> None:
    build_index(engine, elastic, alias)
    answer = search_titles(elastic, alias, " red  candle ", 2, explain=True)
    assert (answer.text, answer.bm25) == ("red candle", Bm25())
    best = answer.hits[0]
    assert (best.rank, best.item_id, best.title) == (1, "A", "red red candle")
    assert best.terms is not None
    assert {term.term: (term.documents, term.frequency) for term in best.terms} == {
        "red": (3, 2.0),
        "candle": (3, 1.0),
    }
    assert {(term.all_documents, term.length, term.average_length) for term in best.terms} == {
        (5, 3.0, 3.0)
    }
    assert sum(term.score for term in best.terms) == pytest.approx(best.score)
    assert best.score == pytest.approx(score(TITLES["A"], "red candle", Bm25()), rel=1e-5)
    both = search_titles(elastic, alias, "red candle", 10, SearchOptions("2"))
    assert [hit.item_id for hit in both.hits] == ["A", "B"]
    plain = search_titles(elastic, alias, "red candle", 2)
    assert [hit.terms for hit in plain.hits] == [None, None]


def test_documents_that_were_sent_twice_count_once_in_scores(
    elastic: Elasticsearch, alias: str
) -> None:
    documents = [
        Document(number, item_id, title, None, None, None, is_active=True)
        for number, (item_id, title) in enumerate(TITLES.items())
    ]
    scores = []
    for name, again in ((f"{alias}-1", []), (f"{alias}-2", documents[1:])):
        create_index(elastic, name, index_body(Bm25(), Analysis()))
        load_documents(elastic, name, documents)
        load_documents(elastic, name, again)
        seal_index(elastic, name)
        scores.append(ElasticRetriever(elastic, name).search(["red candle", "lamp"], 10))
    assert scores[0] == scores[1]
