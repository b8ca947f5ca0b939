"""Options of an evaluation, and what its methods need of a generator."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.baseline_options import BASELINE_NAMES
from gpt4rec_es.lab.evaluation.methods import METHODS, MethodOptions
from gpt4rec_es.lab.evaluation.night_rules import NightRules
from gpt4rec_es.metrics.labels import CategoryLabels
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.records import Bm25


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """Options of an evaluation.

    recipes: the product has one evaluation for each; of method queries the first one counts.
    num_queries: queries per user in place of the recipe's, with at least as many beams; one
    evaluation for each. bm25: None: those of the live build. learn_validation: baselines learn from
    the validation part as well, before the test. sample: maximum number of users. generator: None:
    the current one. night: rules of the product; None: none. trust: accept a generator
    whose training data is unknown. reranker, encoder: names of those that recipes use in place of
    the ones that they name. hardware: device and threads of these. trained: folders of trained
    recommenders to measure. models: where trainings write their folders.
    """

    methods: tuple[str, ...]
    part: str = "test"
    ks: tuple[int, ...] = (5, 10, 20, 40)
    recipes: tuple[NamedRecipe, ...] = (NamedRecipe("", Recipe()),)
    num_queries: tuple[int, ...] = ()
    bm25: Bm25 | None = None
    method: MethodOptions = field(default_factory=MethodOptions)
    category_labels: CategoryLabels = CategoryLabels.PATH_WITHOUT_ROOT
    learn_validation: bool = True
    sample: int | None = None
    generator: str | None = None
    night: NightRules | None = None
    trust: bool = False
    reranker: str | None = None
    encoder: str | None = None
    hardware: GeneratorOptions = field(default_factory=GeneratorOptions)
    trained: tuple[Path, ...] = ()
    models: Path = Path(".models")

    def __post_init__(self) -> None:
        """Refuse unknown methods before anything is read."""
        for name in self.methods:
            if name not in METHODS:
                raise UsageError(
                    f"There is no method {name!r}.", f"There are: {', '.join(METHODS)}."
                )
        if not self.methods and not self.trained:
            raise UsageError(
                "There is no method.",
                f"There are: {', '.join(METHODS)}; and --trained FOLDER.",
            )
        if self.reranker is not None and not any(one.reranker for one in self.measured_recipes):
            raise UsageError(
                "Nothing that is measured uses --reranker.",
                "Measure the product by a recipe that names a re-ranker, or give --trained.",
            )
        if self.encoder is not None and not any(one.encoder for one in self.measured_recipes):
            raise UsageError(
                "Nothing that is measured uses --encoder.",
                "Measure the product by a recipe that names an encoder, or by --sources with "
                "title_vectors or query_vectors.",
            )
        if self.num_queries and min(self.num_queries) < 1:
            raise UsageError("The number of queries is below 1.", "Give --num-queries as 5,10.")

    @property
    def untrained(self) -> tuple[str, ...]:
        """The methods that are no trained baselines."""
        return tuple(name for name in self.methods if name not in BASELINE_NAMES)

    def trained_folders(self, split: str) -> list[Path]:
        """Return the folders of the methods that are trained baselines, and those given; once each.

        Raises:
            UsageError: a method was not trained on ``split``, or its folder holds another one.
        """
        names = [name for name in self.methods if name in BASELINE_NAMES]
        found = [self._folder_of(name, split) for name in names]
        return list(dict.fromkeys(one.resolve() for one in (*found, *self.trained)))

    def _folder_of(self, name: str, split: str) -> Path:
        from gpt4rec_es.lab.baselines.baseline_folder import read_document  # noqa: PLC0415 - torch

        folder = self.models / f"{name}-{split}"
        if not folder.is_dir():
            raise UsageError(
                f"There is no trained {name} of the split {split!r}: no folder {folder}.",
                f"Train it by `gpt4rec train baseline {name} --split {split}`, or give its folder "
                "as --trained.",
            )
        if (held := read_document(folder)["method"]) != name:
            raise UsageError(
                f"{folder} holds a {held}, no {name}.", f"Give it as --trained {folder}."
            )
        return folder

    @property
    def measured_recipes(self) -> tuple[Recipe, ...]:
        """The recipes that the product is measured by."""
        return tuple(one.recipe for one in self.recipes) if "product" in self.methods else ()

    def reranker_of(self, recipe: Recipe) -> str | None:
        """Return the name of the re-ranker that a recipe is measured with."""
        return None if recipe.reranker is None else self.reranker or recipe.reranker

    def encoder_of(self, recipe: Recipe) -> str | None:
        """Return the name of the encoder that a recipe is measured with."""
        return None if recipe.encoder is None else self.encoder or recipe.encoder

    def with_queries(self, recipe: Recipe) -> Recipe:
        """Return the recipe with the largest of ``num_queries``, and at least as many beams."""
        if not self.num_queries:
            return recipe
        most = max(self.num_queries)
        beams = max(most, recipe.decoding.num_beams)
        decoding = replace(recipe.decoding, num_queries=most, num_beams=beams)
        return replace(recipe, decoding=decoding)

    def recipes_of(self, method: str) -> tuple[NamedRecipe, ...]:
        """Return the recipes that a method with queries is measured by.

        Queries alone are measured once for all recipes that write and search the same.
        """
        if method == "product":
            return self.recipes
        distinct: dict[Any, NamedRecipe] = {}
        for one in self.recipes:
            recipe = one.recipe
            distinct.setdefault((recipe.decoding, recipe.prompt_titles, recipe.search), one)
        return tuple(distinct.values())

    def writes_queries(self, method: str) -> bool:
        """Return whether a method can have generated queries."""
        return method == "queries" or (
            method == "product" and any(one.recipe.writes_queries for one in self.recipes)
        )

    @property
    def searched_fields(self) -> set[str]:
        """Fields beside the title that generated queries search."""
        return {
            field
            for one in self.recipes
            for field, _ in one.recipe.search.fields
            if "queries" in self.methods
            or ("product" in self.methods and one.recipe.writes_queries)
        }

    def needs_generator(self, method: str) -> bool:
        """Return whether a method has no lists without a generator."""
        return method == "queries" or (
            method == "product" and any(one.recipe.needs_generator for one in self.recipes)
        )
