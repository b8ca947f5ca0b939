"""A stored run as if another recipe had been used, as far as that needs no other queries.

A replay keeps the queries of the night. Entries of the recipe that would change them are named by
``not_applied``.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.features import OF_QUERIES
from gpt4rec_es.options.lists import Fusion, SearchOptions
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.records import Bm25


def by_recipe(run: Run, named: NamedRecipe) -> Run:
    """Return ``run`` with the manifest that it would have if it were merged by another recipe.

    Raises:
        UsageError: the recipe needs queries or a re-ranker that the run has not.
    """
    recipe = named.recipe
    if recipe.needs_generator and run.manifest["generator"] is None:
        raise UsageError(
            f"{run.run_id} has no generated queries, and recipe {named.name} has no other source.",
            "Replay a night with a query generator.",
        )
    of_run = (run.manifest.get("reranker") or {}).get("name")
    if recipe.reranker not in {None, of_run}:
        raise UsageError(
            f"{run.run_id} has no vectors of users by {recipe.reranker}, the re-ranker of recipe "
            f"{named.name}" + (f"; it has those by {of_run}." if of_run else "."),
            "Replay a night with that re-ranker, or by a recipe without one.",
        )
    manifest = copy.deepcopy(run.manifest)
    if recipe.encoder is not None:
        manifest["encoder"] = {"name": recipe.encoder}  # see sources.with_encoder
    manifest["recipe"] = named.as_dict()
    stored = manifest["decoding"]["num_queries"]
    manifest["decoding"]["num_queries"] = min(stored, recipe.decoding.num_queries)
    change_search(manifest, recipe.search)
    change_fusion(manifest, recipe.fusion)
    if _drops_filters(run, recipe):
        del manifest["filters"]
        run = replace(run, filters_no=None)
    return replace(run, manifest=manifest)


def not_applied(run: Run, recipe: Recipe) -> list[str]:
    """Return the entries of ``recipe`` that a replay of ``run`` cannot apply, by dotted name."""
    if not recipe.writes_queries or run.manifest["generator"] is None:
        return []
    stored, wanted = run.manifest["decoding"], recipe.decoding.as_dict()
    found = [
        f"decoding.{name}"
        # A setting that is left out has the value of before it existed.
        for name in {**wanted, **stored}
        if name != "num_queries" and stored.get(name) != wanted.get(name)
    ]
    if wanted["num_queries"] > stored["num_queries"]:
        found.append("decoding.num_queries")
    titles = recipe.prompt_titles
    if titles is not None and titles != (run.manifest.get("prompt") or {}).get("titles"):
        found.append("prompt_titles")
    if not _has_filters(run, recipe) and not _drops_filters(run, recipe):
        found.append("filters")
    return found


def _has_filters(run: Run, recipe: Recipe) -> bool:
    """Return whether the run has the filters of the recipe; phrases belong to none."""
    kept, wanted = run.manifest.get("filters") or {}, recipe.filters
    return (
        kept.get("refuse_repetition", False) == wanted.refuse_repetition
        and (kept.get("scripts") is not None) == wanted.catalog_scripts_only
        and kept.get("max_unknown_fraction", 1.0) == wanted.max_unknown_fraction
    )


def _drops_filters(run: Run, recipe: Recipe) -> bool:
    """Return whether the recipe has no filter, and the run only such as recipes have."""
    kept = run.manifest.get("filters")
    return kept is not None and not recipe.filters.is_on and not kept.get("n_phrases")


def change_search(manifest: dict[str, Any], options: SearchOptions) -> None:
    """Set the search options of a manifest."""
    manifest.pop("search_options", None)
    if search := options.as_dict():
        manifest["search_options"] = search


def change_fusion(manifest: dict[str, Any], after: Fusion) -> None:
    """Set the fusion of a manifest; without weight, queries are none of its sources."""
    if not any(weight > 0 and name in OF_QUERIES for name, weight in after.weights):
        manifest |= {"generator": None, "prompt": None}
    if not after.uses_vectors:
        manifest.pop("encoder", None)
    if not after.uses_reranker:
        manifest.pop("reranker", None)
    manifest.pop("fusion", None)
    if not after.is_plain:
        manifest["fusion"] = after.as_dict()


def fusion_of(manifest: Mapping[str, Any]) -> Fusion:
    """Return the fusion settings of a manifest."""
    return Fusion.from_dict(manifest.get("fusion"))


def bm25_of(manifest: Mapping[str, Any]) -> Bm25:
    """Return k1, b of a manifest.

    Raises:
        UsageError: they are out of range.
    """
    build = manifest["build"]
    return Bm25(build["k1"], build["b"])
