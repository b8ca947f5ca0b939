"""Dependencies of a night, passed in by the caller."""

from collections.abc import Callable
from dataclasses import dataclass

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.protocols import QueryGenerator, Retriever


@dataclass(frozen=True)
class NightParts:
    """Dependencies of a night: database, search cluster, and functions that open its stages.

    open_generator(row, recipe) and open_retriever(index_name, run_id) are called when a stage
    starts; ensure_index() reindexes if the catalog changed and returns the live build's number.
    """

    engine: Engine
    elastic: Elasticsearch
    open_generator: Callable[[Generator, Recipe], QueryGenerator]
    open_retriever: Callable[[str, str], Retriever]
    ensure_index: Callable[[], int]
    actor: str
