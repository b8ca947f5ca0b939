"""The lists of one evaluation: method, options, and seconds."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.db.rows.first_queries import FirstQueries
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.generation.registry import opened_unchanged
from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.evaluation.evaluate_options import EvaluateOptions
from gpt4rec_es.lab.evaluation.merging import Cell, merge_lists
from gpt4rec_es.lab.evaluation.methods import Baselines
from gpt4rec_es.lab.evaluation.nearest_titles import EncodedTitles
from gpt4rec_es.lab.evaluation.night_rules import AppliedRules
from gpt4rec_es.lab.evaluation.rerank_vectors import SplitVectors
from gpt4rec_es.lab.evaluation.sources import product_sources
from gpt4rec_es.lab.evaluation.title_nats import NatsPerTitle
from gpt4rec_es.lab.evaluation.trained_lists import trained_lists
from gpt4rec_es.lab.splits.queries import WrittenQueries, count_first_queries, split_queries
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.metrics.lists import Lists
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.protocols import Bars, QueryGenerator
from gpt4rec_es.records import Decoding, PromptForm

# Methods whose queries a generator writes.
GENERATED = frozenset({"queries", "product"})

OpenGenerator = Callable[[Generator, Recipe], QueryGenerator]


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
        hardware: GeneratorOptions,
    ) -> None:
        """Set the users, training data (as in ``Split``), catalog, rules; hardware of networks."""
        self._engine, self._split, self._eval_users = engine, split, eval_users
        self._train, self._steps = train, baskets
        self._catalog, self._applied, self._bars = catalog, applied, bars
        self._baselines: Baselines | None = None
        self._histories = [eval_user.history for eval_user in eval_users]
        self._written: dict[tuple[str, PromptForm, Decoding], WrittenQueries] = {}
        self._nats = NatsPerTitle(eval_users, catalog, train, bars)
        self._rerank = SplitVectors(engine, split, eval_users, catalog.active, hardware)
        known = catalog.item_ids, catalog.titles, catalog.active
        self._encoded = EncodedTitles(engine, *known, hardware)

    def lists(
        self,
        method: str,
        options: EvaluateOptions,
        generator: Generator | None,
        open_generator: OpenGenerator,
    ) -> Iterator[MadeLists]:
        """Yield the lists of a method: once, or for each recipe and number of queries.

        generator: None: no queries are written.

        Raises:
            ConflictError: the generator's files changed.
        """
        if method not in GENERATED:
            yield self._baseline_lists(method, options)
            return
        for named in options.recipes_of(method):
            yield from self._query_lists(method, options, named, generator, open_generator)

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

    def trained_lists(self, folder: Path, options: EvaluateOptions) -> MadeLists:
        """Return the lists of the trained recommender in ``folder``.

        Raises:
            UsageError: it is none of this split and catalog.
        """
        started = time.monotonic()
        with self._bars(f"Recommending by {folder.name}", "users") as progress:
            method, lists, known = trained_lists(
                self._engine,
                self._split.name,
                options.part,
                folder,
                self._catalog,
                self._eval_users,
                options.ks,
                progress,
            )
        return MadeLists(method, lists, time.monotonic() - started, known)

    def _query_lists(
        self,
        method: str,
        options: EvaluateOptions,
        named: NamedRecipe,
        generator: Generator | None,
        open_generator: OpenGenerator,
    ) -> Iterator[MadeLists]:
        """Yield the lists by one recipe for each number of queries, from one generation and search.

        With the same number of beams, fewer queries are a prefix of more queries.
        """
        started = time.monotonic()
        recipe = options.with_queries(named.recipe)
        is_written = method == "queries" or recipe.writes_queries
        known: dict[str, Any] = {"recipe": named.as_dict(), **recipe.search.as_dict()}
        numbers: tuple[int, ...] = (0,)
        queries = WrittenQueries.of([()] * len(self._eval_users))
        if generator is not None and is_written:
            opened = _opened(generator, recipe, open_generator)
            queries = self._queries(opened, recipe.decoding)
            numbers = options.num_queries or (recipe.decoding.num_queries,)
            known["decoding"] = recipe.decoding.as_dict()
            known["prompt"] = opened.prompt_form.as_dict()
            known["nats_per_title"] = self._nats.of(opened)
        has_firsts = is_written and generator is not None
        firsts = count_first_queries(queries.texts) if has_firsts else None
        lists, made_with = self._merged(method, options, recipe, queries, numbers)
        seconds = (time.monotonic() - started) / len(numbers)
        for m in numbers:
            by_length = {k: lists[k, m] for k in options.ks}
            writer = generator if m else None
            yield MadeLists(
                method, by_length, seconds, {**known, **made_with}, m or None, writer, firsts
            )

    def _merged(
        self,
        method: str,
        options: EvaluateOptions,
        recipe: Recipe,
        queries: WrittenQueries,
        numbers: Sequence[int],
    ) -> tuple[dict[Cell, Lists], dict[str, Any]]:
        """Return the lists by (K, m), and the options they were made with."""
        sources, made_with = None, {}
        name = options.reranker_of(recipe) if method == "product" else None
        vectors, reranker = self._rerank.by(name, options.part)
        nearest, encoder = self._encoded.by(
            options.encoder_of(recipe) if method == "product" else None
        )
        removed: Collection[str] = frozenset()
        with self._bars("Searching and merging", "users") as progress:
            if method == "product":
                texts = sorted({text for own in queries.texts for text in own})
                removed, filters = self._applied.removed(texts, recipe.filters, recipe.search)
                sources = product_sources(
                    self._catalog,
                    self._train,
                    recipe.fusion,
                    baskets=self._steps,
                    rules=self._applied.items,
                    may_search=self._applied.may_search,
                    vectors=vectors,
                    nearest=nearest,
                )
                made_with = {
                    "fusion": recipe.fusion.as_dict(),
                    "filters": filters,
                    **self._applied.as_dict,
                    **reranker,
                    **encoder,
                    **_learned(options),
                }
            lists = merge_lists(
                self._catalog,
                queries.texts,
                self._histories,
                [(k, m) for m in numbers for k in options.ks],
                progress,
                sources=sources,
                options=recipe.search,
                removed=removed,
                likelihoods=queries.likelihoods,
            )
        return lists, made_with

    def queries_by(
        self, recipe: Recipe, generator: Generator | None, open_generator: OpenGenerator
    ) -> WrittenQueries:
        """Return the queries of each user by a recipe; none without a generator or a source."""
        if generator is None or not recipe.writes_queries:
            return WrittenQueries.of([()] * len(self._eval_users))
        opened = _opened(generator, recipe, open_generator)
        return self._queries(opened, recipe.decoding)

    def _queries(self, generator: QueryGenerator, decoding: Decoding) -> WrittenQueries:
        key = (generator.content_hash, generator.prompt_form, decoding)
        if key not in self._written:
            with self._bars("Generating", "prompts") as progress:
                written = split_queries(
                    self._engine, generator, decoding, self._split, self._eval_users, progress
                )
            self._written[key] = WrittenQueries.of([own.queries for own in written])
        return self._written[key]


def _opened(generator: Generator, recipe: Recipe, open_generator: OpenGenerator) -> QueryGenerator:
    """Return the generator with the prompts and lengths of a recipe."""
    return opened_unchanged(generator, lambda row: open_generator(row, recipe))


def _learned(options: EvaluateOptions) -> dict[str, bool]:
    return {"learn_validation": options.part == "test" and options.learn_validation}
