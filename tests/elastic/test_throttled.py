"""Throttled searches and loads, with a fake clock."""

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.elastic.throttle import Throttle
from gpt4rec_es.index.building import BuildOptions
from gpt4rec_es.index.reindex import ReindexOptions
from gpt4rec_es.retrieval import ElasticRetriever
from tests.databases import Database
from tests.elastic.catalogs import add_items, build_index


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_searches_and_documents_a_second(
    database: Database, elastic: Elasticsearch, alias: str
) -> None:
    engine: Engine = database.engine
    add_items(engine, [(f"I{n}", f"item number {n}") for n in range(20)])
    clock = Clock()
    throttle = Throttle(5, clock=clock, sleep=clock.sleep)
    options = ReindexOptions(alias=alias, build=BuildOptions(throttle=throttle))
    report = build_index(engine, elastic, alias, options)
    # The first five pass at once, the fifteen others at five a second.
    assert (report.requests, clock.now) == (4, 3.0)

    clock = Clock()
    searcher = ElasticRetriever(
        elastic,
        report.build.index_name,
        requests_in_flight=1,
        throttle=Throttle(4, clock=clock, sleep=clock.sleep),
    )
    found = searcher.search([f"item number {n}" for n in range(20)], 1)
    assert all(result.item_nos for result in found)
    assert (searcher.counts.requests, clock.now) == (5, 4.0)
