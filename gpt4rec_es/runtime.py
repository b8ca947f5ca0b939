"""Composition root: builds generator, retriever and what use cases touch from Settings, once each.

With connections.py and settings_options.py the only place below the command line and the workers
that knows settings; here alone the environment is read. Everything is built when first asked for,
so a command pays for what it uses. A Runtime belongs to one process: build a new one after a fork.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt4rec_es.connections import Connections
from gpt4rec_es.options.lists import Fusion, SearchOptions
from gpt4rec_es.protocols import QueryGenerator, Retriever
from gpt4rec_es.records import Decoding
from gpt4rec_es.settings import Settings, load_settings
from gpt4rec_es.settings_options import (
    decoding_of,
    fusion_of,
    list_rules_of,
    query_filters_of,
    synonyms_of,
)

if TYPE_CHECKING:
    from gpt4rec_es.db.rows.generators import Generator
    from gpt4rec_es.elastic.throttle import Throttle
    from gpt4rec_es.index.mapping import Analysis
    from gpt4rec_es.index.reindex import ReindexOptions
    from gpt4rec_es.lab.tuning.inputs import TuningParts
    from gpt4rec_es.night.inputs.parts import NightOptions, NightParts
    from gpt4rec_es.stack import StackUrls


class Runtime(Connections):
    """The parts of this process, by the settings it was given."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._generators: dict[str, QueryGenerator] = {}

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, env_file: str | Path | None = ".env"
    ) -> "Runtime":
        """Return a Runtime by the environment, the .env file and a running local stack.

        Raises:
            UsageError: one or more settings are wrong.
        """
        settings = load_settings(environ, env_file)
        if settings.needs_stack and (urls := _stack_urls(settings.stack_folder)):
            settings = load_settings(environ, env_file, urls)
        return cls(settings)

    @cached_property
    def decoding(self) -> Decoding:
        """How queries are decoded."""
        return decoding_of(self.settings)

    @cached_property
    def fusion(self) -> Fusion:
        """The sources of candidates, and how they are fused."""
        return fusion_of(self.settings)

    @property
    def search_options(self) -> SearchOptions:
        """How generated queries are searched for."""
        return SearchOptions(self.settings.minimum_should_match)

    def generator(self, row: "Generator") -> QueryGenerator:
        """Return the generator registered as ``row``, opened at the first call.

        Raises:
            UsageError: its folder is no fitting checkpoint.
        """
        from gpt4rec_es.generation.factory import open_generator

        if row.content_hash not in self._generators:
            chosen = self.settings
            self._generators[row.content_hash] = open_generator(
                row.kind,
                row.path,
                device=chosen.device,
                token_budget=chosen.token_budget,
                threads=chosen.threads,
                reserve=chosen.max_new_tokens,
                engine=chosen.engine,
                prompt_titles=chosen.prompt_titles,
            )
        return self._generators[row.content_hash]

    def retriever(self, index_name: str, run_id: str) -> Retriever:
        """Return a retriever on one index build, for the run ``run_id``."""
        from gpt4rec_es.retrieval.msearch import ElasticRetriever

        return ElasticRetriever(
            self.elastic,
            index_name,
            run_id=run_id,
            requests_in_flight=self.settings.requests_in_flight,
            throttle=self._search_throttle,
        )

    @cached_property
    def _search_throttle(self) -> "Throttle":
        """One for all retrievers of this process."""
        from gpt4rec_es.elastic.throttle import Throttle

        return Throttle(self.settings.searches_per_second)

    def analysis(self) -> "Analysis":
        """Return how titles become terms in the next build.

        Raises:
            UsageError: the file of synonyms cannot be read.
        """
        from gpt4rec_es.index.mapping import Analysis

        return Analysis(self.settings.analyzer, synonyms_of(self.settings))

    def reindex_options(self) -> "ReindexOptions":
        """Return how a build is made."""
        from gpt4rec_es.elastic.throttle import Throttle
        from gpt4rec_es.index.building import BuildOptions
        from gpt4rec_es.index.reindex import ReindexOptions

        throttle = Throttle(self.settings.documents_per_second)
        return ReindexOptions(
            alias=self.settings.index_alias,
            build=BuildOptions(analysis=self.analysis(), throttle=throttle),
        )

    def tuning_parts(self) -> "TuningParts":
        """Return what tuning touches."""
        from gpt4rec_es.lab.tuning.inputs import TuningParts

        return TuningParts(
            self.engine,
            self.elastic,
            self.settings.index_alias,
            self.generator,
            self.settings.actor,
        )

    def night_options(self, **rules: Any) -> "NightOptions":
        """Return how a night is planned and worked on.

        rules: as ``list_rules_of`` takes them, in place of the settings.
        """
        from gpt4rec_es.night.inputs.parts import NightOptions

        chosen = self.settings
        return NightOptions(
            k=chosen.k,
            decoding=self.decoding,
            depth=chosen.depth,
            exclude_bought=chosen.exclude_bought,
            fusion=self.fusion,
            rules=list_rules_of(chosen, **rules),
            generate_shard_size=chosen.generate_shard_size,
            search_shard_size=chosen.search_shard_size,
            merge_shard_size=chosen.merge_shard_size,
            lease_seconds=float(chosen.lease_seconds),
            max_failures=chosen.max_failures,
            max_failed_share=chosen.max_failed_share,
            min_full_share=chosen.min_full_share,
            daily_min_users=chosen.daily_min_users,
            filters=query_filters_of(chosen),
            search=self.search_options,
        )

    def night_parts(self) -> "NightParts":
        """Return what a night touches."""
        from gpt4rec_es.index.current import ensure_current
        from gpt4rec_es.night.inputs.parts import NightParts

        def ensure_index() -> int:
            options = self.reindex_options()
            return ensure_current(
                self.engine, self.elastic, options, actor=self.settings.actor
            ).build_no

        return NightParts(
            engine=self.engine,
            elastic=self.elastic,
            open_generator=self.generator,
            open_retriever=self.retriever,
            ensure_index=ensure_index,
            actor=self.settings.actor,
        )

    def close(self) -> None:
        """Close the connections and drop the generators; it can be used again afterwards."""
        super().close()
        self._generators.clear()


def _stack_urls(folder: Path | None) -> dict[str, str] | None:
    """Return variable -> URL of the stack in ``folder`` (None: the usual place), if it is up."""
    from gpt4rec_es import stack

    chosen = folder or stack.default_folder(stack.checkout(Path.cwd()))
    urls: StackUrls | None = stack.read_urls(chosen)
    if urls is None:
        return None
    return {
        "DATABASE_URL": urls.database_url,
        "GPT4REC_OWNER_DATABASE_URL": urls.owner_database_url,
        "GPT4REC_ANALYST_DATABASE_URL": urls.analyst_database_url,
        "ELASTICSEARCH_URL": urls.elasticsearch_url,
        "CELERY_BROKER_URL": urls.broker_url,
    }
