"""The recipe: one frozen document with everything that changes lists and belongs to no one shop.

Not in it: K, the generator, the index build (k1, b, analyzer), rules, bought items, and the file of
forbidden phrases. ``recipe_document.py`` reads documents; docs/recipes.md describes their fields.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any

from annotated_types import Interval

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.features import (
    FEATURES,
    OF_QUERIES,
    OF_VECTORS,
    QUERIES,
    QUERY_VECTORS,
    SEQUENCE,
    TITLE_VECTORS,
    uses_reranker,
)
from gpt4rec_es.options.lists import Fusion, QueryFilters, SearchOptions
from gpt4rec_es.records import Decoding

# Format of the documents that this code writes, and the newest that it reads.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """How lists are made: queries are decoded, filtered, searched for and fused with other sources.

    prompt_titles: newest titles in a prompt; None: the number that the generator was trained with.
    filters: without phrases, which a file of the installation holds. reranker: name of the
    registered re-ranker whose score is a feature of the fusion, or whose best items are a source;
    encoder: name of the registered encoder by whose vectors sources search; None: none.
    """

    decoding: Decoding = field(default_factory=Decoding)
    prompt_titles: Annotated[int, Interval(ge=1, le=1000)] | None = None
    filters: QueryFilters = field(default_factory=QueryFilters)
    search: SearchOptions = field(default_factory=SearchOptions)
    fusion: Fusion = field(default_factory=Fusion)
    reranker: str | None = None
    encoder: str | None = None

    def __post_init__(self) -> None:
        """Refuse phrases, which are a file of the installation, and networks without effect."""
        if self.filters.phrases:
            raise UsageError(
                "A recipe holds no forbidden phrases.",
                "Name a file of them by GPT4REC_FORBIDDEN_PHRASES_FILE.",
            )
        if self.fusion.uses_reranker != (self.reranker is not None):
            raise UsageError(
                "The recipe has a coefficient of a re-ranker, or its items as a source, but names "
                "none."
                if self.reranker is None
                else f"The re-ranker {self.reranker!r} would have no effect: the fusion has no "
                "coefficient of its score, nor the source sequence.",
                "Name it in the entry reranker, and give the feature rerank a coefficient; "
                "`gpt4rec tune lists SPLIT --reranker NAME` finds one.",
            )
        if self.fusion.uses_vectors != (self.encoder is not None):
            raise UsageError(
                "The recipe searches by vectors, but names no encoder."
                if self.encoder is None
                else f"The encoder {self.encoder!r} would have no effect: no source of the fusion "
                "searches by vectors.",
                "Name it in the entry encoder, and give the source title_vectors or query_vectors "
                "a weight; `gpt4rec tune lists SPLIT --encoder NAME` says whether that is better.",
            )

    def as_document(self) -> dict[str, Any]:
        """Return the recipe as JSON values; ``read_document`` reads them."""
        filters = asdict(self.filters)
        del filters["phrases"]
        document = {
            "format": FORMAT,
            "decoding": self.decoding.as_dict(),
            "prompt_titles": self.prompt_titles,
            "filters": filters,
            "search": self.search.as_document(),
            "fusion": self.fusion.as_dict(),
        }
        # Left out where there is none, so that the hash is that of before there were any.
        named = {"reranker": self.reranker, "encoder": self.encoder}
        return document | {entry: name for entry, name in named.items() if name is not None}

    @property
    def content_hash(self) -> str:
        """The SHA-256 of the document; equal recipes have equal hashes."""
        text = json.dumps(_plain(self.as_document()), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def sources(self) -> dict[str, float]:
        """Source -> weight, without sources of weight 0."""
        return {name: weight for name, weight in self.fusion.weights if weight > 0}

    @property
    def writes_queries(self) -> bool:
        """Whether generated queries find items; without weight, none are written."""
        return not OF_QUERIES.isdisjoint(self.sources)

    @property
    def needs_generator(self) -> bool:
        """Whether there are no lists without a generator: queries are the only source."""
        return set(self.sources) <= OF_QUERIES


@dataclass(frozen=True, slots=True)
class NamedRecipe:
    """A recipe with its name. is_changed: options of one command override parts of it."""

    name: str
    recipe: Recipe
    is_changed: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return name and content hash, for manifests and evaluations."""
        values = {"name": self.name, "hash": self.recipe.content_hash}
        return {**values, "is_changed": True} if self.is_changed else values

    def changed(self, **parts: Any) -> "NamedRecipe":
        """Return it with other parts: fields of ``Recipe`` by name; None: unchanged."""
        given = {name: part for name, part in parts.items() if part is not None}
        if "fusion" in given and not given["fusion"].uses_reranker:
            given["reranker"] = None  # it would have no effect any more
        if "fusion" in given and not given["fusion"].uses_vectors:
            given["encoder"] = None
        recipe = replace(self.recipe, **given)
        return self if recipe == self.recipe else NamedRecipe(self.name, recipe, is_changed=True)


def without_reranker(recipe: Recipe) -> Recipe:
    """Return ``recipe`` with the other coefficients and sources alone.

    Raises:
        UsageError: it has no others.
    """
    if recipe.reranker is None:
        return recipe
    kept = tuple(pair for pair in recipe.fusion.coefficients if not uses_reranker([pair]))
    weights = tuple(pair for pair in recipe.fusion.weights if pair[0] != SEQUENCE)
    fusion = replace(recipe.fusion, coefficients=kept, weights=weights)
    return replace(recipe, fusion=fusion, reranker=None)


def with_sequence(recipe: Recipe, reranker: str) -> Recipe:
    """Return ``recipe`` with the best items of a registered re-ranker as its last source."""
    weights = tuple(pair for pair in recipe.fusion.weights if pair[0] != SEQUENCE)
    fusion = replace(recipe.fusion, weights=(*weights, (SEQUENCE, 1.0)))
    return replace(recipe, fusion=fusion, reranker=reranker)


def with_vectors(recipe: Recipe, encoder: str) -> Recipe:
    """Return ``recipe`` with searches by the vectors of a registered encoder as its last sources.

    Titles of purchases are searched, and generated queries if they are a source.
    """
    kept = tuple(pair for pair in recipe.fusion.weights if pair[0] not in OF_VECTORS)
    more = [QUERY_VECTORS] * (recipe.sources.get(QUERIES, 0) > 0) + [TITLE_VECTORS]
    weights = (*kept, *((name, 1.0) for name in more))
    return replace(recipe, fusion=replace(recipe.fusion, weights=weights), encoder=encoder)


def without_vectors(recipe: Recipe) -> Recipe:
    """Return ``recipe`` with the other coefficients and sources alone.

    Raises:
        UsageError: it has no others.
    """
    if recipe.encoder is None:
        return recipe
    kept = tuple(
        pair
        for pair in recipe.fusion.coefficients
        if OF_VECTORS.isdisjoint(FEATURES[pair[0].partition("*")[0]].sources)
    )
    weights = tuple(pair for pair in recipe.fusion.weights if pair[0] not in OF_VECTORS)
    fusion = replace(recipe.fusion, coefficients=kept, weights=weights)
    return replace(recipe, fusion=fusion, encoder=None)


def differences(a: Recipe, b: Recipe) -> dict[str, list[Any]]:
    """Return the differing entries of two recipes by dotted name, as [value in a, value in b]."""
    one, other = flat(a.as_document()), flat(b.as_document())
    return {
        name: [one.get(name), other.get(name)]
        for name in {**one, **other}
        if one.get(name) != other.get(name)
    }


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return the entries of a document by dotted name."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{above}{name}.")
        else:
            found[above + name] = value
    return found


def _plain(value: Any) -> Any:
    """Return ``value`` with whole floats as integers: 1 and 1.0 are the same setting."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
