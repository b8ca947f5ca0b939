"""Several fields with weights in this process rank as a server that has such fields would."""

from decimal import Decimal

import pytest
from elasticsearch import Elasticsearch

from gpt4rec_es.errors import UsageError
from gpt4rec_es.index.mapping import Analysis, encode_document, filter_chain, index_body
from gpt4rec_es.lab.bm25.build import TITLE_ANALYZER, chain_analyzer, server_analyzer
from gpt4rec_es.lab.bm25.fields import FieldsGridSearch, parse_fields
from gpt4rec_es.records import Bm25, Document

WORDS = ("red", "lamp", "vase", "acme", "home", "garden", "tall")
DOCUMENTS = [
    Document(
        number * 3,
        f"i{number:03}",
        " ".join(WORDS[(number * step) % 7] for step in range(1, 2 + number % 4)),
        ("acme", "home co", None)[number % 3],
        ("home > garden", "garden", None)[number % 3],
        Decimal(1),
        is_active=number % 11 > 0,
    )
    for number in range(80)
]
QUERIES = ["red lamp acme", "garden", "home garden tall", "nothing of it", "acme acme red"]
POINTS = [Bm25(), Bm25(0.4, 0.2)]


@pytest.fixture(scope="module")
def index(elastic: Elasticsearch, module_alias: str) -> str:
    name = f"{module_alias}-fields"
    body = index_body(Bm25(), Analysis())
    properties = body["mappings"]["properties"]
    properties["brand"] = properties["category"] = properties["title"]
    elastic.indices.create(index=name, **body)
    elastic.bulk(index=name, body=b"".join(map(encode_document, DOCUMENTS)), refresh=True)
    elastic.indices.forcemerge(index=name, max_num_segments=1)
    return name


@pytest.mark.parametrize("given", ["title", "title^3,brand,category", "brand^0.5,title"])
def test_ranks_as_the_server_does(elastic: Elasticsearch, index: str, given: str) -> None:
    weights = parse_fields(given)
    analyze = server_analyzer(elastic, index, TITLE_ANALYZER)
    search = FieldsGridSearch(DOCUMENTS, weights, analyze)
    (found,) = search.search(QUERIES, POINTS, 10)
    assert found.item_nos.shape == (2, len(QUERIES), 10)
    for place, text in enumerate(QUERIES):
        clauses = [
            {"match": {field: {"query": text, "boost": weight}}}
            for field, weight in weights.items()
        ]
        answer = elastic.search(
            index=index,
            query={"bool": {"should": clauses, "must_not": [{"term": {"is_active": False}}]}},
            sort=[{"_score": "desc"}, {"item_id": "asc"}],
            size=10,
        )
        expected = [(hit["_source"]["item_no"], hit["_score"]) for hit in answer["hits"]["hits"]]
        actual = [
            (item_no, score)
            for item_no, score in zip(
                found.item_nos[0, place].tolist(), found.scores[0, place].tolist(), strict=True
            )
            if item_no >= 0
        ]
        assert [score for _, score in actual] == pytest.approx([s for _, s in expected], rel=1e-5)
        # Sums in another order may swap what is equal but for the last digit.
        assert {item for item, _ in actual[:5]} >= {
            item for item, score in expected[:5] if score > expected[-1][1] * 1.0001
        }


def test_chains_are_the_analyzers_of_an_index(elastic: Elasticsearch, module_alias: str) -> None:
    texts = ["The Café's lamps, RED", "Straße ÉTÉ", ""]
    for name in ("standard", "english", "folding"):
        index = f"{module_alias}-{name}"
        elastic.indices.create(index=index, **index_body(Bm25(), Analysis(name)))
        chain = chain_analyzer(elastic, filter_chain(name))
        assert chain(texts) == server_analyzer(elastic, index, TITLE_ANALYZER)(texts)
    assert chain(texts)[0] == ["the", "cafe's", "lamps", "red"]


@pytest.mark.parametrize("given", ["", "titel", "title,title", "title^0", "title^x", "title^-1"])
def test_fields_that_cannot_be(given: str) -> None:
    with pytest.raises(UsageError):
        parse_fields(given)


def test_an_empty_field_is_named() -> None:
    documents = [Document(1, "i1", "red", None, None, None, is_active=True)]
    with pytest.raises(UsageError, match="No item has a brand"):
        FieldsGridSearch(documents, {"brand": 1.0}, lambda texts: [text.split() for text in texts])
