"""Dispatch of a shard's work by stage; networks and retriever are opened when first needed."""

from dataclasses import dataclass, field
from functools import partial

from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.rows.filters import FrozenFilters, load_filters
from gpt4rec_es.db.rows.generators import load as load_generator
from gpt4rec_es.db.rows.rerankers import load as load_reranker
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.night.inputs.chosen_titles import titles_of_run
from gpt4rec_es.night.inputs.item_vectors import load_run_items
from gpt4rec_es.night.inputs.near import open_searches
from gpt4rec_es.night.inputs.opened import open_unchanged
from gpt4rec_es.night.inputs.parts import NightParts, VectorMaker
from gpt4rec_es.night.inputs.rules import load_item_rules
from gpt4rec_es.night.stages.embed import embed_shard
from gpt4rec_es.night.stages.generate import generate_shard
from gpt4rec_es.night.stages.leases import Lease, Work
from gpt4rec_es.night.stages.merge import merge_shard
from gpt4rec_es.night.stages.search import search_shard
from gpt4rec_es.options.night import NightOptions
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.protocols import QueryGenerator, Retriever
from gpt4rec_es.ranking.rules import ItemRules
from gpt4rec_es.ranking.vectors import NO_ITEMS, ItemVectors
from gpt4rec_es.records import Decoding
from gpt4rec_es.retrieval.query_filters import QueryCheck, check_queries


@dataclass
class DrainCounts:
    """Counts of one drain. tokens: of all hypotheses; searches: deeper ones included."""

    shards: int = 0
    prompts: int = 0
    tokens: int = 0
    searches: int = 0
    users: int = 0


@dataclass
class StageWork:
    """Work on shards of all stages, with networks and retriever kept open between shards."""

    parts: NightParts
    options: NightOptions
    counts: DrainCounts = field(default_factory=DrainCounts)
    _generator: QueryGenerator | None = None
    _reranker: VectorMaker | None = None
    _retriever: Retriever | None = None
    _filters: FrozenFilters | None = None
    _rules: dict[int, ItemRules | None] = field(default_factory=dict)
    _items: dict[int, ItemVectors] = field(default_factory=dict)

    def do(self, run: Run, lease: Lease) -> Work:
        """Do the shard's work and return it for storing."""
        engine, members = self.parts.engine, lease.shard.members
        if lease.shard.stage == "generate":
            work = generate_shard(engine, run, lease, self._open_generator(run))
            self.counts.prompts += len(members)
            self.counts.tokens += work.counts["tokens"]
            return work
        if lease.shard.stage == "embed":
            return embed_shard(engine, run, lease, self._open_reranker(run), self._load_items(run))
        retriever = self._open_retriever(run)
        if lease.shard.stage == "search":
            work = search_shard(engine, run, lease, retriever, self._open_query_check(run))
        else:
            items = self._load_items(run)
            work = merge_shard(engine, run, lease, retriever, self._load_rules(run), items)
            self.counts.users += len(members)
        self.counts.searches += work.counts["searches"]
        return work

    def _open_generator(self, run: Run) -> QueryGenerator:
        if self._generator is None:
            # Only a run with a generator has prompts.
            assert run.generator_no is not None  # noqa: S101
            with self.parts.engine.connect() as connection:
                row = load_generator(connection, run.generator_no)
            # The prompts are written: only the decoding matters.
            recipe = Recipe(decoding=Decoding(**run.manifest["decoding"]))
            generator = self.parts.open_generator(row, recipe)
            if generator.content_hash != run.content_hash:
                raise ConflictError(
                    f"{row.changed.removesuffix('.')}, and {run.run_id} was planned with that.",
                    "Restore it, or run `gpt4rec night --supersede` to plan a new run.",
                )
            if recipe.decoding.mode == "titles":
                generator = generator.choosing(titles_of_run(self.parts.elastic, run))
            self._generator = generator
        return self._generator

    def _open_reranker(self, run: Run) -> VectorMaker:
        if self._reranker is None:
            # Only a run with a re-ranker has shards of this stage.
            assert run.reranker_no is not None  # noqa: S101
            with self.parts.engine.connect() as connection:
                row = load_reranker(connection, run.reranker_no)
            self._reranker = open_unchanged(self.parts, row)
        return self._reranker

    def _open_query_check(self, run: Run) -> QueryCheck | None:
        if run.filters_no is None:
            return None
        if self._filters is None:
            with self.parts.engine.connect() as connection:
                self._filters = load_filters(connection, run.filters_no)
        return partial(check_queries, self._filters, self.parts.elastic)

    def _load_rules(self, run: Run) -> ItemRules | None:
        """Return the run's rules, cached because they may name half of the catalog."""
        if run.run_no not in self._rules:
            self._rules[run.run_no] = retrying(
                self.parts.engine, lambda connection: load_item_rules(connection, run)
            )
        return self._rules[run.run_no]

    def _load_items(self, run: Run) -> ItemVectors:
        """Return the vectors of the run's re-ranker, of all items: 2 bytes per component."""
        if run.reranker_no is None:
            return NO_ITEMS
        if run.run_no not in self._items:
            self._items = {  # those of one run: they may take a gigabyte
                run.run_no: retrying(
                    self.parts.engine, lambda connection: load_run_items(connection, run)
                )
            }
        return self._items[run.run_no]

    def _open_retriever(self, run: Run) -> Retriever:
        if self._retriever is None:
            self._retriever = open_searches(self.parts, run)
        return self._retriever
