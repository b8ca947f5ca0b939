"""Dependencies of a night, passed in by the caller."""

from collections.abc import Callable
from dataclasses import dataclass

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.protocols import QueryGenerator, Retriever


@dataclass(frozen=True)
class NightParts:
    """Dependencies of a night: database, search cluster, and functions that open its stages.

    open_generator(row) and open_retriever(index_name, run_id) are called when a stage starts;
    ensure_index() reindexes if the catalog changed and returns the number of the live build.
    """

    engine: Engine
    elastic: Elasticsearch
    open_generator: Callable[[Generator], QueryGenerator]
    open_retriever: Callable[[str, str], Retriever]
    ensure_index: Callable[[], int]
    actor: str
