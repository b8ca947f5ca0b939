"""Options of nights and of the generator of their queries, with the only copy of their defaults.

Bounds are annotations, which settings check. Combinations are checked by the records.
"""

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from annotated_types import Ge, Interval

from gpt4rec_es.options.gates import GateLimits
from gpt4rec_es.options.holdback import Holdback
from gpt4rec_es.options.list_rules import ListRules
from gpt4rec_es.options.lists import Fusion, QueryFilters, SearchOptions
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.records import Decoding

_Batch = Annotated[int, Interval(ge=1, le=1_000_000)]


@dataclass(frozen=True, slots=True)
class NightOptions:
    """Options of planning and processing a night.

    k: items per list. depth: hits requested first per query (None: 40 more than every merge needs,
    enough for most histories). recipe: how lists are made. phrases: forbidden phrases. rules: rules
    for all lists. lease_seconds: lifetime of a lease that is not renewed.
    max_failures: errors of a shard before it is split. daily_min_users: minimum number of users of
    a query in the daily sums. max_outage_seconds: time that a worker waits for an unreachable
    server before it gives its shard back. gate_limits: of the gates. holdback: users that get other
    lists, for comparison.
    """

    k: Annotated[int, Interval(ge=1, le=1000)] = 10
    recipe: NamedRecipe = field(default_factory=lambda: NamedRecipe("", Recipe()))
    phrases: tuple[str, ...] = ()
    depth: Annotated[int, Interval(ge=1, le=10_000)] | None = None
    exclude_bought: bool = True
    rules: ListRules = field(default_factory=ListRules)
    generate_shard_size: _Batch = 256
    search_shard_size: _Batch = 2000
    merge_shard_size: _Batch = 1000
    lease_seconds: Annotated[float, Interval(ge=2, le=86_400)] = 60
    max_failures: Annotated[int, Interval(ge=1, le=100)] = 3
    gate_limits: GateLimits = field(default_factory=GateLimits)
    holdback: Holdback = field(default_factory=Holdback)
    daily_min_users: Annotated[int, Interval(ge=1, le=10_000)] = 1
    max_outage_seconds: float = 600.0

    @property
    def decoding(self) -> Decoding:
        """The decoding settings of the recipe."""
        return self.recipe.recipe.decoding

    @property
    def fusion(self) -> Fusion:
        """The sources of candidates and their fusion, from the recipe."""
        return self.recipe.recipe.fusion

    @property
    def search(self) -> SearchOptions:
        """The search options of generated queries, from the recipe."""
        return self.recipe.recipe.search

    @property
    def filters(self) -> QueryFilters:
        """The filters of the recipe with the forbidden phrases."""
        return replace(self.recipe.recipe.filters, phrases=self.phrases)


@dataclass(frozen=True, slots=True)
class GeneratorOptions:
    """Options of opening a generator; none changes its queries.

    device: auto, cpu, cuda or cuda:N. beam_search: implementation, see generation/beam_searches.py.
    threads: CPU threads of this process, 0 to choose. token_budget: token places in one batch
    (prompt tokens, padding included, and new ones, times beams), 0 to choose.
    """

    beam_search: Literal["shared", "reference"] = "shared"
    device: str = "auto"
    threads: Annotated[int, Interval(ge=0, le=1024)] = 0
    token_budget: Annotated[int, Ge(0)] = 0
