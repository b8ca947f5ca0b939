"""What a night needs from outside: its options and its parts, passed in, never looked up here."""

from collections.abc import Callable
from dataclasses import dataclass, field

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.options.lists import Fusion, ListRules, QueryFilters, SearchOptions
from gpt4rec_es.protocols import QueryGenerator, Retriever
from gpt4rec_es.records import Decoding


@dataclass(frozen=True, slots=True)
class NightOptions:
    """How a night is planned and worked on.

    k: items per user. depth: hits asked for per query at first (None: 40 more than the merge looks
    at in any case, enough for most histories). fusion: the sources of candidates. search: how
    generated queries are searched for. rules: about all lists. lease_seconds: a worker that has not
    renewed for so long is taken for dead. max_failures: own errors of a shard before it is split.
    daily_min_users: queries of fewer users have no sums. patience_seconds: how long a lost server
    is waited for before the work is given back for good.
    """

    k: int = 10
    decoding: Decoding = field(default_factory=Decoding)
    depth: int | None = None
    exclude_bought: bool = True
    fusion: Fusion = field(default_factory=Fusion)
    filters: QueryFilters = field(default_factory=QueryFilters)
    search: SearchOptions = field(default_factory=SearchOptions)
    rules: ListRules = field(default_factory=ListRules)
    generate_shard_size: int = 256
    search_shard_size: int = 2000
    merge_shard_size: int = 1000
    lease_seconds: float = 60.0
    max_failures: int = 3
    max_failed_share: float = 0.001
    min_full_share: float = 0.99
    daily_min_users: int = 1
    patience_seconds: float = 600.0


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
