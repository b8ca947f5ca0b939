"""The analyzers that a setting can choose, and synonyms, on the real server."""

from collections.abc import Sequence

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.errors import UsageError
from gpt4rec_es.index.building import BuildOptions
from gpt4rec_es.index.mapping import Analysis
from gpt4rec_es.index.reindex import ReindexOptions
from gpt4rec_es.retrieval.ad_hoc import search_titles
from tests.databases import Database
from tests.elastic.catalogs import add_items, build_index, find
from tests.indexes import index_names

TITLES = [
    ("A", "Running Shoes for Women"),
    ("B", "Women's shoe rack"),
    ("C", "TV stand"),
    ("D", "Television remote"),
    ("E", "USB flash drive"),
    ("F", "The drive belt"),
]


@pytest.fixture
def engine(database: Database) -> Engine:
    add_items(database.engine, TITLES)
    return database.engine


def build(
    engine: Engine, client: Elasticsearch, alias: str, analyzer: str, rules: Sequence[str] = ()
) -> str:
    analysis = Analysis(analyzer, tuple(rules))
    options = ReindexOptions(alias=alias, build=BuildOptions(analysis=analysis))
    return build_index(engine, client, alias, options).build.index_name


def test_standard_takes_words_as_they_are(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    index = build(engine, elastic, alias, "standard")
    tokens = elastic.indices.analyze(index=index, field="title", text="Women's USB-Sticks, the 2nd")
    assert [token["token"] for token in tokens["tokens"]] == [
        "women's",
        "usb",
        "sticks",
        "the",
        "2nd",
    ]
    assert find(engine, elastic, alias, "SHOE") == ["B"]
    assert find(engine, elastic, alias, "the") == ["F"]


def test_english_stems_and_drops_stop_words(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    index = build(engine, elastic, alias, "english")
    tokens = elastic.indices.analyze(index=index, field="title", text="Women's running shoes, the")
    assert [token["token"] for token in tokens["tokens"]] == ["women", "run", "shoe"]
    assert sorted(find(engine, elastic, alias, "shoe")) == ["A", "B"]
    assert sorted(find(engine, elastic, alias, "woman's drives")) == ["E", "F"]
    assert find(engine, elastic, alias, "the") == []


@pytest.mark.parametrize("analyzer", ["standard", "english"])
def test_synonyms_work_for_words_and_phrases(
    engine: Engine, elastic: Elasticsearch, alias: str, analyzer: str
) -> None:
    build(engine, elastic, alias, analyzer, ["TV, television", "usb stick, flash drive"])
    assert sorted(find(engine, elastic, alias, "tv")) == ["C", "D"]
    assert sorted(find(engine, elastic, alias, "Televisions tv stand"))[:1] == ["C"]
    # Several words are a phrase: a drive belt is not found.
    assert find(engine, elastic, alias, "usb stick") == ["E"]
    explained = [
        term.term
        for query in ("tv", "usb stick")
        for hit in search_titles(elastic, alias, query, 5, explain=True).hits
        for term in hit.terms or ()
    ]
    assert len(explained) == 3
    assert explained[0].startswith("Synonym(")
    assert explained[2] == '"flash drive"'


def test_a_title_that_a_rule_rewrites_does_not_fail_the_build(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_items(engine, [("G", "TV")])
    build(engine, elastic, alias, "standard", ["tv => television"])
    assert find(engine, elastic, alias, "tv") == ["D"]


def test_a_rule_that_cannot_be_read_is_told_and_leaves_nothing(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    with pytest.raises(UsageError, match=r"(?i)synonym"):
        build(engine, elastic, alias, "standard", ["a => b => c"])
    assert index_names(elastic, alias) == []
