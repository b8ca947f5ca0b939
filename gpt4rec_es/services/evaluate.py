"""Evaluating methods on a part of a split: lists for every case, metrics, all stored at once.

Nothing is planned as a run, and searches are made in this process, equal to the live build's.
What stands here is the order of things; an evaluation that is killed has stored its queries, which
the next one uses, and nothing else.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db import evaluations as rows
from gpt4rec_es.db import generators
from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.generators import Generator
from gpt4rec_es.db.splits import SplitRow
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.evaluation.catalog import EvaluationCatalog
from gpt4rec_es.evaluation.measure import Measurer, MetricRow
from gpt4rec_es.evaluation.methods import METHODS, Baselines, MethodOptions
from gpt4rec_es.evaluation.query_lists import lists_of_queries
from gpt4rec_es.index.live import live_build
from gpt4rec_es.metrics.labels import CategoryLabels
from gpt4rec_es.metrics.lists import NOTHING, Lists
from gpt4rec_es.protocols import Bars, QueryGenerator, no_bars
from gpt4rec_es.records import Bm25, Decoding
from gpt4rec_es.services.evaluation_data import choose_cases, read_catalog
from gpt4rec_es.services.split_queries import split_queries
from gpt4rec_es.services.split_training import require_unseen
from gpt4rec_es.services.splits import load_split
from gpt4rec_es.splits.split import Case, with_validation
from gpt4rec_es.version import code_version

OpenGenerator = Callable[[Generator], QueryGenerator]


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What is measured, and how.

    num_queries: one evaluation for each. bm25: None for the live build's. learn_validation: before
    the test, baselines learn from the validation part, too. sample: so many cases only. generator:
    None for the current one. decoding: of its queries; as many as the most in num_queries, and at
    least as many beams. trust: believe that the generator has not seen what is held out.
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
    trust: bool = False

    def __post_init__(self) -> None:
        """Refuse what does not exist, before anything is read."""
        for name in self.methods:
            if name not in METHODS:
                raise UsageError(
                    f"There is no method {name!r}.", f"There are: {', '.join(METHODS)}."
                )
        if not self.methods:
            raise UsageError("There is no method.", f"There are: {', '.join(METHODS)}.")
        if not self.num_queries or min(self.num_queries) < 1:
            raise UsageError("The number of queries is below 1.", "Give --num-queries as 5,10.")


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """A stored evaluation with its metrics."""

    evaluation_no: int
    split: str
    part: str
    method: str
    num_queries: int | None
    generator: str | None
    k1: float
    b: float
    n_cases: int
    seconds: float
    metrics: tuple[MetricRow, ...]


@dataclass(frozen=True)
class _Made:
    """The lists of one evaluation, by length."""

    method: str
    lists: Mapping[int, Lists]
    seconds: float
    num_queries: int | None = None
    generator: Generator | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def evaluate(
    engine: Engine,
    client: Elasticsearch,
    alias: str,
    split_name: str,
    options: EvaluateOptions,
    *,
    open_generator: OpenGenerator,
    actor: str,
    bars: Bars = no_bars,
) -> list[EvaluationReport]:
    """Measure each method on the split's part, store what was found and return it.

    Raises:
        UsageError: an unknown name, no live build, lists longer than the catalog, no cases, or a
            generator that may have seen what is held out.
        DataError: the split leaks.
        ConflictError: the generator's files changed.
        DependencyError: a server cannot be reached.
    """
    row, split = load_split(engine, split_name)
    cases = choose_cases(getattr(split, options.part), options.sample)
    generator = _generator(engine, options, row) if "queries" in options.methods else None
    if options.part == "test" and options.learn_validation:
        split = with_validation(split)
    build = live_build(engine, client, alias)
    with bars("Reading the index", "titles") as progress:
        catalog = read_catalog(
            engine, client, build, options.bm25, options.category_labels, progress
        )
    catalog.check(options.ks)
    measurer = Measurer(catalog, cases, split.train)
    baselines = Baselines(catalog, split.train, options.method)
    reports = []
    for name in options.methods:
        if name == "queries" and generator is not None:
            opened = _open(generator, open_generator)
            made = _of_queries(engine, options, row, cases, catalog, generator, opened, bars)
        else:
            made = iter([_of_baseline(options, cases, baselines, name, bars)])
        for one in made:
            with bars(f"Measuring {_name(one)}", "steps") as progress:
                metrics = measurer.rows(one.lists, progress)
            report = _store(
                engine, row, options, one, metrics, cases, catalog.bm25, build.index_name, actor
            )
            reports.append(report)
    return reports


def _generator(engine: Engine, options: EvaluateOptions, split: SplitRow) -> Generator:
    with transaction(engine) as connection:
        if options.generator:
            found = generators.get(connection, options.generator)
        elif (current := generators.current(connection)) is not None:
            found = current
        else:
            raise UsageError("No query generator is in use.", "Name one with --generator.")
    if not options.trust:
        require_unseen(found, split, options.part)
    return found


def _open(row: Generator, open_generator: OpenGenerator) -> QueryGenerator:
    opened = open_generator(row)
    if opened.content_hash != row.content_hash:
        raise ConflictError(
            f"The files of generator {row.name!r} changed since it was registered.",
            "Put them back, or register them under another name.",
        )
    return opened


def _of_baseline(
    options: EvaluateOptions,
    cases: tuple[Case, ...],
    baselines: Baselines,
    name: str,
    bars: Bars,
) -> _Made:
    started = time.monotonic()
    with bars(f"Recommending by {name}", "users") as progress:
        lists = baselines.lists(name, cases, options.ks, progress)
    learned = options.part == "test" and options.learn_validation
    made_with = {**asdict(options.method), "learn_validation": learned}
    return _Made(name, lists, time.monotonic() - started, options=made_with)


def _of_queries(
    engine: Engine,
    options: EvaluateOptions,
    split: SplitRow,
    cases: tuple[Case, ...],
    catalog: EvaluationCatalog,
    generator: Generator,
    opened: QueryGenerator,
    bars: Bars,
) -> Iterator[_Made]:
    """Yield the lists of each number of queries; all come from one generation and one search.

    With equal beams the best queries are the same, however many are asked for.
    """
    started = time.monotonic()
    most = max(options.num_queries)
    beams = max(most, options.decoding.num_beams)
    decoding = replace(options.decoding, num_queries=most, num_beams=beams)
    with bars("Generating", "prompts") as progress:
        written = split_queries(engine, opened, decoding, split, cases, progress)
    cells = [(k, m) for m in options.num_queries for k in options.ks]
    with bars("Searching and merging", "users") as progress:
        lists = lists_of_queries(
            catalog.index,
            catalog.bm25,
            catalog.tokens,
            [[query.text for query in case.queries] for case in written],
            [case.history for case in cases],
            cells,
            progress,
        )
    seconds = (time.monotonic() - started) / len(options.num_queries)
    made_with = {"decoding": decoding.as_dict()}
    for m in options.num_queries:
        by_length = {k: lists[k, m] for k in options.ks}
        yield _Made("queries", by_length, seconds, m, generator, made_with)


def _store(
    engine: Engine,
    split: SplitRow,
    options: EvaluateOptions,
    made: _Made,
    metrics: list[MetricRow],
    cases: tuple[Case, ...],
    bm25: Bm25,
    index_name: str,
    actor: str,
) -> EvaluationReport:
    """Store one evaluation whole, in one transaction."""
    values = {
        "split_no": split.split_no,
        "part": options.part,
        "method": made.method,
        "num_queries": made.num_queries,
        "generator_name": made.generator and made.generator.name,
        "content_hash": made.generator and made.generator.content_hash,
        "options": {
            "category_labels": options.category_labels.value,
            "sample": options.sample,
            **made.options,
        },
        "k1": bm25.k1,
        "b": bm25.b,
        "index_name": index_name,
        "n_cases": len(cases),
        "code_version": code_version(),
        "seconds": made.seconds,
        "actor": actor,
    }
    lists = (
        (k, case.user, [item for item in items if item != NOTHING])
        for k, array in made.lists.items()
        for case, items in zip(cases, array.tolist(), strict=True)
    )
    with transaction(engine) as connection:
        number = rows.store(
            connection,
            values,
            ((m.k, m.segment, m.metric, m.mean, m.low, m.high, m.users) for m in metrics),
            lists,
        )
    return EvaluationReport(
        number,
        split.name,
        options.part,
        made.method,
        made.num_queries,
        made.generator.name if made.generator else None,
        bm25.k1,
        bm25.b,
        len(cases),
        round(made.seconds, 1),
        tuple(metrics),
    )


def _name(made: _Made) -> str:
    return made.method if made.num_queries is None else f"{made.num_queries} {made.method}"
