"""Composition root: builds generator, retriever and resources of use cases from Settings.

Below the command line and the workers, only this module and connections.py use Settings; only this
module reads the environment. Each part is built on first use. A Runtime belongs to one process:
build a new one after a fork.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt4rec_es.connections import Connections
from gpt4rec_es.errors import UsageError
from gpt4rec_es.files import require_regular
from gpt4rec_es.filters.phrases import read_phrases
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.protocols import Encoder, QueryGenerator, Retriever
from gpt4rec_es.settings import Settings, load_settings, variable_of

if TYPE_CHECKING:
    from gpt4rec_es.db.rows.encoders import Encoder as EncoderRow
    from gpt4rec_es.db.rows.generators import Generator
    from gpt4rec_es.db.rows.rerankers import Reranker
    from gpt4rec_es.elastic.throttle import Throttle
    from gpt4rec_es.index.mapping import Analysis
    from gpt4rec_es.index.reindex import ReindexOptions
    from gpt4rec_es.lab.tuning.inputs import TuningParts
    from gpt4rec_es.night.inputs.parts import NightParts
    from gpt4rec_es.options.night import NightOptions
    from gpt4rec_es.reranking.registry import Served
    from gpt4rec_es.stack import StackUrls


class Runtime(Connections):
    """The parts of this process, built from its settings."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._generators: dict[tuple[str, int, int | None], QueryGenerator] = {}
        self._rerankers: dict[tuple[str, str], Served] = {}
        self._encoders: dict[int, Encoder] = {}

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, env_file: str | Path | None = ".env"
    ) -> "Runtime":
        """Return a Runtime from the environment, the .env file and a running local stack.

        Raises:
            UsageError: one or more settings are wrong.
        """
        settings = load_settings(environ, env_file)
        if settings.needs_stack and (urls := _stack_urls(settings.stack_folder)):
            settings = load_settings(environ, env_file, urls)
        return cls(settings)

    @property
    def recipe(self) -> NamedRecipe:
        """The live recipe, read from the database each time."""
        return self.recipe_called(None)

    def recipe_called(self, name: str | None) -> NamedRecipe:
        """Return the recipe ``name``, shipped or stored; None: the live one.

        Raises:
            UsageError: there is no such recipe.
        """
        from gpt4rec_es.recipes.live import named_or_live

        with self.engine.connect() as connection:
            return named_or_live(connection, name)

    def generator(self, row: "Generator", recipe: Recipe | None = None) -> QueryGenerator:
        """Return the generator registered as ``row``, opened at the first call.

        recipe: the recipe that says how long prompts and queries are; None: the live one.

        Raises:
            UsageError: its folder is no valid checkpoint.
        """
        from gpt4rec_es.generation.factory import open_generator

        recipe = recipe or self.recipe.recipe
        reserve, titles = recipe.decoding.max_new_tokens, recipe.prompt_titles
        key = (f"{row.content_hash} {row.path}", reserve, titles)
        if key not in self._generators:
            options, secret = self.settings.generator, self.settings.endpoint_api_key
            self._generators[key] = open_generator(
                row.kind, row.path, options, reserve=reserve, prompt_titles=titles, api_key=secret
            )
        return self._generators[key]

    def reranker(self, row: "Reranker") -> "Served":
        """Return the re-ranker registered as ``row``, opened at the first call.

        Raises:
            UsageError: its folder is gone or holds something else.
            ConflictError: its files changed.
        """
        from gpt4rec_es.reranking.registry import open_registered

        key = (row.content_hash, row.path)
        if key not in self._rerankers:
            options = self.settings.generator
            self._rerankers[key] = open_registered(row, options.device, options.threads)
        return self._rerankers[key]

    def encoder(self, row: "EncoderRow") -> Encoder:
        """Return the encoder registered as ``row``, opened at the first call, as re-rankers are."""
        from gpt4rec_es.reranking.encoder_registry import open_encoder_of

        if row.encoder_no not in self._encoders:
            options = self.settings.generator
            opened = open_encoder_of(self.engine, row, options.device, options.threads)
            self._encoders[row.encoder_no] = opened
        return self._encoders[row.encoder_no]

    def retriever(
        self, index_name: str, run_id: str, encoder: "EncoderRow | None" = None
    ) -> Retriever:
        """Return a retriever on one build for a run; by BM25, or by the vectors of ``encoder``."""
        from gpt4rec_es.retrieval.knn import KnnRetriever
        from gpt4rec_es.retrieval.msearch import ElasticRetriever

        options: dict[str, Any] = {
            "run_id": run_id,
            "requests_in_flight": self.settings.requests_in_flight,
            "throttle": self._search_throttle,
        }
        if encoder is None:
            return ElasticRetriever(self.elastic, index_name, **options)
        return KnnRetriever(self.elastic, index_name, self.encoder(encoder), **options)

    @cached_property
    def _search_throttle(self) -> "Throttle":
        """The throttle shared by all retrievers of this process."""
        from gpt4rec_es.elastic.throttle import Throttle

        return Throttle(self.settings.searches_per_second)

    def analysis(self) -> "Analysis":
        """Return the analysis of titles in the next build.

        Raises:
            UsageError: the file of synonyms cannot be read, or a line of it is no rule.
        """
        from gpt4rec_es.index.mapping import Analysis, synonym_rules

        text = self._read("synonyms_file", "Write one Solr rule per line, as: tv, television")
        return Analysis(self.settings.analyzer, synonym_rules(text))

    def reindex_options(self) -> "ReindexOptions":
        """Return the options of a reindex."""
        from gpt4rec_es.elastic.throttle import Throttle
        from gpt4rec_es.index.building import BuildOptions
        from gpt4rec_es.index.reindex import ReindexOptions

        return ReindexOptions(
            alias=self.settings.index_alias,
            build=BuildOptions(
                analysis=self.analysis(),
                replicas=self.settings.index_replicas,
                throttle=Throttle(self.settings.documents_per_second),
            ),
            open_encoder=self.encoder,
        )

    def tuning_parts(self) -> "TuningParts":
        """Return the resources of tuning."""
        from gpt4rec_es.lab.tuning.inputs import TuningParts

        return TuningParts(
            self.engine,
            self.elastic,
            self.settings.index_alias,
            self.generator,
            self.settings.actor,
        )

    def night_options(self, recipe: NamedRecipe | None = None, **rules: Any) -> "NightOptions":
        """Return the options of a night.

        recipe: None: the live one. rules: fields of ``ListRules`` that override the settings,
        unless None or empty.

        Raises:
            UsageError: the rules are invalid, or the file of phrases cannot be read.
        """
        night = self.settings.night
        given = {name: it for name, it in rules.items() if it is not None and it != ()}
        phrases = self._read("forbidden_phrases_file", "Write one phrase per line.")
        return replace(
            night,
            recipe=recipe or self.recipe,
            rules=replace(night.rules, **given),
            phrases=read_phrases(phrases),
        )

    def _read(self, setting: str, hint: str) -> str:
        """Return the text of the file that a setting names; empty when it names none."""
        file = getattr(self.settings, setting)
        if file is None:
            return ""
        try:
            require_regular(file)
            text: str = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{variable_of(setting)} {file} cannot be read: {error}.", hint
            ) from error
        return text

    def night_parts(self) -> "NightParts":
        """Return the resources of a night."""
        from gpt4rec_es.index.current import ensure_current
        from gpt4rec_es.night.inputs.parts import NightParts

        def ensure_index(encoder: str | None) -> int:
            options = replace(self.reindex_options(), encoder=encoder)
            actor = self.settings.actor
            return ensure_current(self.engine, self.elastic, options, actor=actor).build_no

        return NightParts(
            engine=self.engine,
            elastic=self.elastic,
            open_generator=self.generator,
            open_reranker=self.reranker,
            open_encoder=self.encoder,
            open_retriever=self.retriever,
            ensure_index=ensure_index,
            actor=self.settings.actor,
        )

    def close(self) -> None:
        """Close the connections and drop the networks; it can be used again afterwards."""
        super().close()
        self._generators.clear()
        self._rerankers.clear()


def _stack_urls(folder: Path | None) -> dict[str, str] | None:
    """Return variable -> URL of the stack in ``folder`` (None: the default), if it is running."""
    from gpt4rec_es import stack

    chosen = folder or stack.default_folder(stack.checkout(Path.cwd()))
    urls: StackUrls | None = stack.read_urls(chosen)
    return None if urls is None else urls.variables()
