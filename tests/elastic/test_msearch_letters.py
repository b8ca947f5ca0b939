"""A real server's answers are written as retrieval expects them: else reading them is slow."""

import re

from elasticsearch import Elasticsearch

from gpt4rec_es.retrieval.body import Template
from gpt4rec_es.retrieval.msearch import ANSWER_FILTER
from tests.databases import Database
from tests.elastic.catalogs import add_shirts, build_index

WHOLE = (
    rb'\{"responses":\[\{"timed_out":false,"_shards":\{"total":1,"successful":1,"failed":0\},'
    rb'"hits":\{"hits":\[\{"sort":\[[0-9.]+,"S0",1\]\},\{"sort":\[[0-9.]+,"S1",2\]\}\]\},'
    rb'"status":200\}\]\}'
)


def test_an_answer_stays_bytes_and_has_the_letters_of_a_whole_one(
    database: Database, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(database.engine)
    index = build_index(database.engine, elastic, alias).build.index_name
    answer = elastic.perform_request(
        "POST",
        f"/{index}/_msearch",
        params={"filter_path": ANSWER_FILTER},
        headers={"accept": "application/json", "content-type": "application/x-ndjson"},
        body=Template.search(2).fill("red"),
    )
    assert isinstance(answer.body, bytes)
    assert re.fullmatch(WHOLE, answer.body)
