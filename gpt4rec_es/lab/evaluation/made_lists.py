"""The lists of one evaluation: method, options, and seconds."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.db.rows.first_queries import FirstQueries
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.registry import opened_unchanged
from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.evaluation.merging import Cell, merge_lists
from gpt4rec_es.lab.evaluation.methods import METHODS, Baselines, MethodOptions
from gpt4rec_es.lab.evaluation.night_rules import AppliedRules, NightRules
from gpt4rec_es.lab.evaluation.sources import product_sources
from gpt4rec_es.lab.splits.queries import split_queries
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.metrics.labels import CategoryLabels
from gpt4rec_es.metrics.lists import Lists
from gpt4rec_es.options.lists import ANY_TERM, Fusion, SearchOptions
from gpt4rec_es.protocols import Bars, QueryGenerator
from gpt4rec_es.records import Bm25, Decoding

# Methods whose queries a generator writes.
GENERATED = frozenset({"queries", "product"})

OpenGenerator = Callable[[Generator], QueryGenerator]


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """Options of an evaluation.

    num_queries: queries per user; one evaluation for each. bm25: None: those of the live build.
    learn_validation: baselines learn from the validation part as well, before the test. sample:
    maximum number of users. generator: None: the current one. decoding: decoding of its queries,
    with at least max(num_queries) queries and beams. fusions: fusions of the product, one
    evaluation for each. search: search options of generated queries. night: rules and filters of
    the product; None: none. trust: accept a generator whose training data is unknown.
    """

    methods: tuple[str, ...]
    part: str = "test"
    ks: tuple[int, ...] = (5, 10, 20, 40)
    num_queries: tuple[int, ...] = (10,)
    bm25: Bm25 | None = None
    method: MethodOptions = field(default_factory=MethodOptions)
    category_labels: CategoryLabels = CategoryLabels.PATH_WITHOUT_ROOT
    learn_validation: bool = True
    sample: int | None = None
    generator: str | None = None
    decoding: Decoding = field(default_factory=Decoding)
    fusions: tuple[Fusion, ...] = (Fusion(),)
    search: SearchOptions = ANY_TERM
    night: NightRules | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        """Refuse unknown methods before anything is read."""
        for name in self.methods:
            if name not in METHODS:
                raise UsageError(
                    f"There is no method {name!r}.", f"There are: {', '.join(METHODS)}."
                )
        if not self.methods:
            raise UsageError("There is no method.", f"There are: {', '.join(METHODS)}.")
        if not self.num_queries or min(self.num_queries) < 1:
            raise UsageError("The number of queries is below 1.", "Give --num-queries as 5,10.")


@dataclass(frozen=True)
class MadeLists:
    """The lists of one evaluation, by length; options: the options they were made with."""

    method: str
    lists: Mapping[int, Lists]
    seconds: float
    options: Mapping[str, Any]
    num_queries: int | None = None
    generator: Generator | None = None
    first_queries: FirstQueries | None = None

    @property
    def title(self) -> str:
        """Return a label that distinguishes it from the other evaluations of one command."""
        return self.method if self.num_queries is None else f"{self.method} m={self.num_queries}"


class MethodLists:
    """Makes the lists of several methods for the same users; shared parts are made once."""

    def __init__(
        self,
        engine: Engine,
        split: SplitRow,
        eval_users: Sequence[EvalUser],
        train: Mapping[int, Sequence[int]],
        baskets: Mapping[int, Sequence[int]],
        catalog: EvaluationCatalog,
        applied: AppliedRules,
        bars: Bars,
    ) -> None:
        """Set the users, training data (as in ``Split``), catalog, and rules."""
        self._engine, self._split, self._eval_users = engine, split, eval_users
        self._train, self._steps = train, baskets
        self._catalog, self._bars = catalog, bars
        self._applied = applied
        self._baselines: Baselines | None = None
        self._histories = [eval_user.history for eval_user in eval_users]

    def lists(
        self,
        method: str,
        options: EvaluateOptions,
        generator: Generator | None,
        open_generator: OpenGenerator,
    ) -> Iterator[MadeLists]:
        """Yield the lists of a method: once, or for each number of queries.

        Raises:
            ConflictError: the generator's files changed.
        """
        if method in GENERATED and generator is not None:
            yield from self._query_lists(method, options, generator, open_generator)
        else:
            yield self._baseline_lists(method, options)

    def _baseline_lists(self, method: str, options: EvaluateOptions) -> MadeLists:
        started = time.monotonic()
        if self._baselines is None:
            self._baselines = Baselines(self._catalog, self._train, options.method)
        with self._bars(f"Recommending by {method}", "users") as progress:
            lists = self._baselines.lists(method, self._eval_users, options.ks, progress)
        return MadeLists(
            method,
            lists,
            time.monotonic() - started,
            {**asdict(options.method), **_learned(options)},
        )

    def _query_lists(
        self,
        method: str,
        options: EvaluateOptions,
        generator: Generator,
        open_generator: OpenGenerator,
    ) -> Iterator[MadeLists]:
        """Yield the lists for each number of queries; all come from one generation and one search.

        With the same number of beams, fewer queries are a prefix of more queries.
        """
        started = time.monotonic()
        most = max(options.num_queries)
        beams = max(most, options.decoding.num_beams)
        decoding = replace(options.decoding, num_queries=most, num_beams=beams)
        opened = opened_unchanged(generator, open_generator)
        queries = self._queries(opened, decoding)
        firsts = count_first_queries(queries)
        generating = time.monotonic() - started
        for lists, made_with, seconds in self._merged(method, options, queries):
            fraction = (generating + seconds) / len(options.num_queries)
            for m in options.num_queries:
                by_length = {k: lists[k, m] for k in options.ks}
                known = {
                    "decoding": decoding.as_dict(),
                    "prompt": opened.prompt_form.as_dict(),
                    **options.search.as_dict(),
                    **made_with,
                }
                yield MadeLists(method, by_length, fraction, known, m, generator, firsts)

    def _merged(
        self, method: str, options: EvaluateOptions, queries: list[list[str]]
    ) -> Iterator[tuple[dict[Cell, Lists], dict[str, Any], float]]:
        """Yield, for each fusion: lists by (K, m), options, and seconds."""
        cells = [(k, m) for m in options.num_queries for k in options.ks]
        removed: Collection[str] = frozenset()
        if method == "product":
            removed = self._applied.removed(sorted({text for own in queries for text in own}))
        for fusion in options.fusions if method == "product" else (None,):
            started = time.monotonic()
            sources, made_with = None, {}
            with self._bars("Searching and merging", "users") as progress:
                if fusion is not None:
                    sources = product_sources(
                        self._catalog,
                        self._train,
                        fusion,
                        baskets=self._steps,
                        rules=self._applied.items,
                        may_search=self._applied.may_search,
                    )
                    made_with = {
                        "fusion": fusion.as_dict(),
                        **self._applied.as_dict,
                        **_learned(options),
                    }
                lists = merge_lists(
                    self._catalog,
                    queries,
                    self._histories,
                    cells,
                    progress,
                    sources=sources,
                    options=options.search,
                    removed=removed,
                )
            yield lists, made_with, time.monotonic() - started

    def _queries(self, generator: QueryGenerator, decoding: Decoding) -> list[list[str]]:
        with self._bars("Generating", "prompts") as progress:
            written = split_queries(
                self._engine, generator, decoding, self._split, self._eval_users, progress
            )
        return [[query.text for query in eval_user.queries] for eval_user in written]


def count_first_queries(queries: Iterable[Sequence[str]]) -> FirstQueries:
    """Return how much the first of each user's queries differ; users without queries are left out.

    As the night counts them, in db/rows/first_queries.py.
    """
    firsts = Counter(own[0] for own in queries if own)
    top = max(firsts.values()) / firsts.total() if firsts else None
    return FirstQueries(len(firsts), top)


def _learned(options: EvaluateOptions) -> dict[str, bool]:
    return {"learn_validation": options.part == "test" and options.learn_validation}
