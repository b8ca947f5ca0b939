"""Settings that a replay may change in a run's manifest: those applied after generation.

Other settings (generator, prompts, beams) would need queries that the run does not have.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.replay.recipe_changes import (
    bm25_of,
    by_recipe,
    change_fusion,
    change_search,
    fusion_of,
)
from gpt4rec_es.night.inputs.rules import search_options_of
from gpt4rec_es.options.list_rules import ListRules
from gpt4rec_es.options.recipe import NamedRecipe


@dataclass(frozen=True, slots=True)
class ReplayChanges:
    """Settings that replace those of a run; None: unchanged.

    recipe: what of it applies after generation; the other fields then change it further.
    num_queries: number of best queries used of each generation. fusion: fields of ``Fusion`` by
    name. without_rules: apply no rules to lists. rules: fields of ``ListRules`` by name, in place
    of the run's. search: fields of ``SearchOptions`` of queries by name.
    """

    k: int | None = None
    num_queries: int | None = None
    k1: float | None = None
    b: float | None = None
    exclude_bought: bool | None = None
    fusion: Mapping[str, Any] = field(default_factory=dict)
    without_rules: bool = False
    rules: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)
    recipe: NamedRecipe | None = None

    @property
    def changed_recipe(self) -> NamedRecipe | None:
        """The recipe with the other changes of its fusion; None: the run's own recipe."""
        if self.recipe is None:
            return None
        return self.recipe.changed(fusion=self.recipe.recipe.fusion.changed(**self.fusion))

    @property
    def is_none(self) -> bool:
        """Whether all settings are unchanged."""
        return self == ReplayChanges()

    def as_dict(self) -> dict[str, Any]:
        """Return the changed values by dotted manifest name."""
        values = {
            "k": self.k,
            "decoding.num_queries": self.num_queries,
            "build.k1": self.k1,
            "build.b": self.b,
            "exclude_bought": self.exclude_bought,
        }
        return {name: value for name, value in values.items() if value is not None}


def changed_run(run: Run, changes: ReplayChanges) -> Run:
    """Return ``run`` with the manifest it would have if planned with ``changes``.

    Raises:
        UsageError: a value is out of range, or needs more queries than were stored.
    """
    stored = run.manifest["decoding"]["num_queries"]
    if changes.k is not None and changes.k < 1:
        raise UsageError(f"k is {changes.k}.", "Ask for at least 1 item.")
    if changes.num_queries is not None and not 1 <= changes.num_queries <= stored:
        raise UsageError(
            f"{changes.num_queries} queries per user cannot be replayed: "
            f"{run.run_id} has {stored}.",
            f"Ask for 1 to {stored}.",
        )
    if changes.changed_recipe is not None:
        run = by_recipe(run, changes.changed_recipe)
    manifest = copy.deepcopy(run.manifest)
    for name, value in changes.as_dict().items():
        *path, last = name.split(".")
        entry = manifest
        for part in path:
            entry = entry[part]
        entry[last] = value
    bm25_of(manifest)
    if changes.without_rules:
        manifest.pop("rules", None)
    if changes.rules:
        _change_rules(manifest, changes.rules)
    if changes.search:
        change_search(manifest, replace(search_options_of(manifest), **changes.search))
    if changes.fusion and changes.recipe is None:
        change_fusion(manifest, fusion_of(manifest).changed(**changes.fusion))
    return replace(run, manifest=manifest, k=manifest["k"])


def _change_rules(manifest: dict[str, Any], values: Mapping[str, Any]) -> None:
    before = manifest.get("rules", {"block_rules": []})
    names = {field.name for field in fields(ListRules)}
    after = ListRules(**{name: it for name, it in before.items() if name in names} | dict(values))
    others = {name: it for name, it in before.items() if name not in names}
    manifest["rules"] = {**others, **after.as_dict()}
