"""A real server's responses have the text that the fast parser expects."""

import re

from elasticsearch import Elasticsearch

from gpt4rec_es.index import bulk
from gpt4rec_es.index.create import create_index
from gpt4rec_es.index.mapping import Analysis, encode_document, index_body
from gpt4rec_es.records import Bm25, Document
from gpt4rec_es.retrieval import msearch
from gpt4rec_es.retrieval.body import Template
from tests.databases import Database
from tests.elastic.catalogs import add_shirts, build_index

WHOLE = (
    rb'\{"responses":\[\{"timed_out":false,"_shards":\{"total":1,"successful":1,"failed":0\},'
    rb'"hits":\{"hits":\[\{"sort":\[[0-9.]+,"S0",1\]\},\{"sort":\[[0-9.]+,"S1",2\]\}\]\},'
    rb'"status":200\}\]\}'
)


def send(client: Elasticsearch, path: str, answer_filter: str, body: bytes) -> object:
    headers = {"accept": "application/json", "content-type": "application/x-ndjson"}
    params = {"filter_path": answer_filter}
    return client.perform_request("POST", path, params=params, headers=headers, body=body).body


def test_searches_are_answered_in_the_letters_of_a_whole_answer(
    database: Database, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(database.engine)
    index = build_index(database.engine, elastic, alias).build.index_name
    body = Template.search(2).fill("red")
    answer = send(elastic, f"/{index}/_msearch", msearch.ANSWER_FILTER, body)
    assert isinstance(answer, bytes)
    assert re.fullmatch(WHOLE, answer)


def test_documents_are_acknowledged_in_the_letters_that_are_compared(
    elastic: Elasticsearch, alias: str
) -> None:
    index = f"{alias}-1"
    create_index(elastic, index, index_body(Bm25(), Analysis()))
    lines = [
        (item_id, encode_document(Document(number, item_id, "red", None, None, None, True)))
        for number, item_id in enumerate(["S1", 'a "quoted" \\ one', "\u00e9t\u00e9"])
    ]
    body = b"".join(line for _, line in lines)
    answer = send(elastic, f"/{index}/_bulk", bulk.ANSWER_FILTER, body)
    assert answer == bulk.created_answer(lines)
    # The second time they are not created but updated.
    assert send(elastic, f"/{index}/_bulk", bulk.ANSWER_FILTER, body) != answer
