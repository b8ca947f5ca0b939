"""Input of tuning: a split's users with their generated queries, and the live catalog.

Queries are generated once and stored; later tunings need no generator.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import generators
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.db.rows.items import load_ids
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.generation.registry import opened_unchanged
from gpt4rec_es.lab.evaluation.data import choose_eval_users
from gpt4rec_es.lab.splits.queries import split_queries
from gpt4rec_es.lab.splits.segments import Mask, segments
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.lab.training.split_data import require_unseen
from gpt4rec_es.lab.tuning.choose import Metric
from gpt4rec_es.lab.tuning.measure import TuningUser
from gpt4rec_es.options.lists import SearchOptions
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.protocols import Progress, QueryGenerator
from gpt4rec_es.records import Decoding


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningOptions:
    """Options of tuning.

    generator: a name; None: the current one. trust: accept the generator whatever its card says
    about its training data. most_users: maximum number of users; a fixed sample if there are more.
    seed: of intervals and tests. recipe: of the queries and their searches.
    """

    split: str
    part: str = "validation"
    generator: str | None = None
    trust: bool = False
    recipe: NamedRecipe = field(default_factory=lambda: NamedRecipe("", Recipe()))
    metric: Metric = "recall"
    k: int = 10
    exclude_bought: bool = True
    grid: str = "fine"
    most_users: int = 20_000
    seed: int = 0

    @property
    def decoding(self) -> Decoding:
        """The decoding settings of queries."""
        return self.recipe.recipe.decoding

    @property
    def search(self) -> SearchOptions:
        """The search options of queries."""
        return self.recipe.recipe.search


@dataclass(frozen=True, slots=True)
class TuningParts:
    """Resources of tuning: database, search cluster, alias, and a function to open generators."""

    engine: Engine
    elastic: Elasticsearch
    alias: str
    open_generator: Callable[[Generator, Recipe], QueryGenerator]
    actor: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """The evaluation users and their queries, in equal order; segments: members by name."""

    split: SplitRow
    generator: Generator
    users: list[int]
    eval_users: list[TuningUser]
    segments: Mapping[str, Mask]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Generator and users of a tuning, before queries are generated."""

    split: SplitRow
    generator: Generator
    eval_users: Sequence[EvalUser]
    train: Mapping[int, Sequence[int]]


def choose_inputs(parts: TuningParts, options: TuningOptions) -> Chosen:
    """Return the generator and the users named by the options.

    Raises:
        UsageError: there is no such split or generator, the generator may have seen held-out items,
        or there are no users. DataError: the split leaks. DependencyError: Postgres cannot be
        reached.
    """
    with transaction(parts.engine) as connection:
        row = generators.named_or_current(connection, options.generator)
    split_row, split = load_split(parts.engine, options.split, (options.part,))
    if not options.trust:
        require_unseen(row, split_row, options.part)
    eval_users = choose_eval_users(getattr(split, options.part), options.most_users)
    return Chosen(split_row, row, eval_users, split.train)


def load_inputs(parts: TuningParts, options: TuningOptions, progress: Progress) -> Inputs:
    """Return the users to tune on; generates missing queries. progress counts prompts.

    Raises as ``choose_inputs`` does, and:
        ConflictError: the generator's files changed since registration.
    """
    chosen = choose_inputs(parts, options)
    eval_users = chosen.eval_users
    recipe = options.recipe.recipe
    generator = opened_unchanged(chosen.generator, lambda row: parts.open_generator(row, recipe))
    written = split_queries(
        parts.engine, generator, options.decoding, chosen.split, eval_users, progress
    )
    tuning_users = [
        TuningUser(
            tuple(query.text for query in each.queries),
            eval_user.history if options.exclude_bought else (),
            frozenset(eval_user.targets),
        )
        for eval_user, each in zip(eval_users, written, strict=True)
    ]
    with transaction(parts.engine) as connection:
        item_ids = load_ids(connection)
    return Inputs(
        chosen.split,
        chosen.generator,
        [eval_user.user_no for eval_user in eval_users],
        tuning_users,
        segments(eval_users, item_ids, chosen.train),
    )
