"""What a night touches, passed in and never looked up here."""

from collections.abc import Callable
from dataclasses import dataclass

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.protocols import QueryGenerator, Retriever


@dataclass(frozen=True)
class NightParts:
    """What a night touches: the database, the search cluster, and how to open its two stages.

    open_generator(row) and open_retriever(index_name, run_id) are called when a stage starts;
    ensure_index() returns the number of the live build, made current with the catalog.
    """

    engine: Engine
    elastic: Elasticsearch
    open_generator: Callable[[Generator], QueryGenerator]
    open_retriever: Callable[[str, str], Retriever]
    ensure_index: Callable[[], int]
    actor: str
