"""The manifest: all inputs of a run, frozen at planning.

Older manifests lack newer keys; code that reads such a key uses a default, the behaviour before the
key existed.
"""

from collections.abc import Mapping
from typing import Any

from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.night import NightOptions
from gpt4rec_es.records import PromptForm
from gpt4rec_es.version import code_version

# A merge that needs more hits requests four times as many, up to the maximum of one search.
DEPTH_STEP = 4
MAX_DEPTH = 10_000


def depth_ladder(depth: int) -> tuple[int, ...]:
    """Return the search depths of a run: ``depth``, then four times the last one, up to 10,000."""
    ladder = [depth]
    while ladder[-1] < MAX_DEPTH:
        ladder.append(min(ladder[-1] * DEPTH_STEP, MAX_DEPTH))
    return tuple(ladder)


def make_manifest(
    options: NightOptions,
    generator: Generator | None,
    build: Build,
    history_version: int,
    cohort_size: int,
    rules: dict[str, Any] | None,
    prompt: PromptForm | None,
) -> dict[str, Any]:
    """Return the manifest of a run that is being planned, as JSON values.

    generator, prompt: None: no queries are written.
    """
    fusion = options.fusion
    looked_at = options.k if fusion.is_plain else max(options.k, fusion.candidates)
    fields = {name: [one.k1, one.b] for name, one in build.field_bm25.items()}
    manifest: dict[str, Any] = {
        "k": options.k,
        "depth_ladder": list(depth_ladder(options.depth or looked_at + 40)),
        "exclude_bought": options.exclude_bought,
        "recipe": options.recipe.as_dict(),
        "decoding": options.decoding.as_dict(),
        "generator": generator
        and {
            "name": generator.name,
            "kind": generator.kind,
            "content_hash": generator.content_hash,
        },
        "prompt": prompt and prompt.as_dict(),
        "build": {
            "index": build.index_name,
            "uuid": build.index_uuid,
            "documents": build.document_count,
            "k1": build.bm25.k1,
            "b": build.bm25.b,
            # Absent as long as all fields have the defaults, as in older manifests.
            **({"field_bm25": fields} if fields else {}),
            "catalog_version": build.catalog_version,
            "mapping_hash": build.mapping_hash,
        },
        "history_version": history_version,
        "frozen_history": fusion.history,
        "cohort_size": cohort_size,
        "shard_sizes": {
            "generate": options.generate_shard_size,
            "search": options.search_shard_size,
            "merge": options.merge_shard_size,
        },
        "gates": options.gate_limits.as_dict(),
        "code_version": code_version(),
    }
    if options.daily_min_users > 1:
        manifest["daily_min_users"] = options.daily_min_users
    if not fusion.is_plain:
        manifest["fusion"] = fusion.as_dict()
    if search := options.search.as_dict():
        manifest["search_options"] = search
    if rules is not None:
        manifest["rules"] = rules
    if options.holdback.shares:
        manifest["holdback"] = options.holdback.as_dict()
    return manifest


def no_generator(recipe: str) -> UsageError:
    """Return the error of a night by a recipe with queries alone while no generator is in use."""
    return UsageError(
        f"No query generator is in use, and recipe {recipe} has no other source.",
        "Train one (`gpt4rec train generator`), choose one (`gpt4rec generators use NAME`), or "
        "use a recipe with other sources (`gpt4rec recipes use default --reason 'why'`).",
    )


# Entries of a manifest that operators change, and what they are called.
_INPUTS = {
    "recipe": ("recipe", "hash"),
    "generator": ("generator", "content_hash"),
    "re-ranker": ("reranker", "content_hash"),
    "encoder": ("encoder", "content_hash"),
    "rules": ("rules",),
    "analysis": ("build", "mapping_hash"),
    "k1": ("build", "k1"),
    "b": ("build", "b"),
    "k1, b of fields": ("build", "field_bm25"),
    "K": ("k",),
    "bought items": ("exclude_bought",),
}


def differing_inputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what operators decided otherwise for the manifest ``new`` than for ``old``."""
    return [name for name, path in _INPUTS.items() if _entry(old, *path) != _entry(new, *path)]


def _entry(values: Any, *path: str) -> Any:
    for name in path:
        values = values.get(name) if isinstance(values, dict) else None
    if path == ("rules",) and isinstance(values, dict):  # these change by themselves
        values = {name: value for name, value in values.items() if name != "shown_runs"}
    return values
