"""Options of nights and of the generator that writes their queries; defaults have no other home.

Bounds are annotations: settings hold what operators set to them. What does not fit together is
refused by the records themselves.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Interval

from gpt4rec_es.options.lists import Fusion, ListRules, QueryFilters, SearchOptions
from gpt4rec_es.records import Decoding

_Fraction = Annotated[float, Interval(ge=0, le=1)]
_Batch = Annotated[int, Interval(ge=1, le=1_000_000)]


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

    k: Annotated[int, Interval(ge=1, le=1000)] = 10
    decoding: Decoding = field(default_factory=Decoding)
    depth: Annotated[int, Interval(ge=1, le=10_000)] | None = None
    exclude_bought: bool = True
    fusion: Fusion = field(default_factory=Fusion)
    filters: QueryFilters = field(default_factory=QueryFilters)
    search: SearchOptions = field(default_factory=SearchOptions)
    rules: ListRules = field(default_factory=ListRules)
    generate_shard_size: _Batch = 256
    search_shard_size: _Batch = 2000
    merge_shard_size: _Batch = 1000
    lease_seconds: Annotated[float, Interval(ge=2, le=86_400)] = 60
    max_failures: Annotated[int, Interval(ge=1, le=100)] = 3
    max_failed_fraction: _Fraction = 0.001
    min_full_fraction: _Fraction = 0.99
    daily_min_users: Annotated[int, Interval(ge=1, le=10_000)] = 1
    patience_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class GeneratorOptions:
    """How a registered generator is opened; what it writes depends on ``prompt_titles`` alone.

    device: auto, cpu, cuda or cuda:N. beam_search: its name, see generation/beam_searches.py.
    threads: CPU threads of this process, 0 to choose. token_budget: token places in one batch
    (prompt tokens, padding included, and new ones, times beams), 0 to choose. prompt_titles: newest
    titles in a prompt; None: as many as the checkpoint was trained with.
    """

    beam_search: Literal["shared", "reference"] = "shared"
    device: str = "auto"
    threads: Annotated[int, Interval(ge=0, le=1024)] = 0
    token_budget: Annotated[int, Ge(0)] = 0
    prompt_titles: Annotated[int, Interval(ge=1, le=1000)] | None = None
