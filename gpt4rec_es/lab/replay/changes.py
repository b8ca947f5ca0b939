"""Settings that a replay may change in a run's manifest: those applied after generation.

Other settings (generator, prompts, beams) would need queries that the run does not have.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.lists import HISTORY_TITLES, Fusion, ListRules, SearchOptions
from gpt4rec_es.records import Bm25


@dataclass(frozen=True, slots=True)
class ReplayChanges:
    """Settings that replace those of a run; None: unchanged.

    num_queries: number of best queries used of each generation. fusion: fields of ``Fusion`` by
    name. without_rules: apply no rules to lists. rules: fields of ``ListRules`` by name, in place
    of the run's. search: search options of queries.
    """

    k: int | None = None
    num_queries: int | None = None
    k1: float | None = None
    b: float | None = None
    exclude_bought: bool | None = None
    fusion: Mapping[str, Any] = field(default_factory=dict)
    without_rules: bool = False
    rules: Mapping[str, Any] = field(default_factory=dict)
    search: SearchOptions | None = None

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
        UsageError: a value is out of range, or needs more queries or titles than were stored.
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
    if changes.search is not None:
        manifest.pop("search_options", None)
        if search := changes.search.as_dict():
            manifest["search_options"] = search
    if changes.fusion:
        _change_fusion(run, manifest, changes.fusion)
    return replace(run, manifest=manifest, k=manifest["k"])


def _change_fusion(run: Run, manifest: dict[str, Any], values: Mapping[str, Any]) -> None:
    before = fusion_of(run.manifest)
    after = replace(before, **values)
    if after.uses(HISTORY_TITLES) and not before.uses(HISTORY_TITLES):
        raise UsageError(
            f"{run.run_id} kept no titles of purchases, so they cannot be a source.",
            "Replay a night that had them, or take queries and co_purchase.",
        )
    manifest.pop("fusion", None)
    if not after.is_plain:
        manifest["fusion"] = after.as_dict()


def _change_rules(manifest: dict[str, Any], values: Mapping[str, Any]) -> None:
    before = manifest.get("rules", {"block_rules": []})
    names = {field.name for field in fields(ListRules)}
    after = ListRules(**{name: it for name, it in before.items() if name in names} | dict(values))
    others = {name: it for name, it in before.items() if name not in names}
    manifest["rules"] = {**others, **after.as_dict()}


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
