"""What a replay may change in a run's manifest: settings that work after the queries were written.

Anything else (generator, prompts, beams) would need queries that the run does not have.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gpt4rec_es.db.runs import Run
from gpt4rec_es.errors import UsageError
from gpt4rec_es.records import Bm25


@dataclass(frozen=True, slots=True)
class Changes:
    """Settings that replace those of a run; None: as it was.

    num_queries: the best so many of each generation are used.
    """

    k: int | None = None
    num_queries: int | None = None
    k1: float | None = None
    b: float | None = None
    exclude_bought: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the new values by dotted manifest name, those that are set."""
        values = {
            "k": self.k,
            "decoding.num_queries": self.num_queries,
            "build.k1": self.k1,
            "build.b": self.b,
            "exclude_bought": self.exclude_bought,
        }
        return {name: value for name, value in values.items() if value is not None}


def changed_run(run: Run, changes: Changes) -> Run:
    """Return ``run`` as if it had been planned with ``changes``.

    Raises:
        UsageError: a value is out of range, or asks for more queries than were generated.
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
    return replace(run, manifest=manifest, k=manifest["k"])


def bm25_of(manifest: Mapping[str, Any]) -> Bm25:
    """Return k1, b of a manifest.

    Raises:
        UsageError: they are out of range.
    """
    build = manifest["build"]
    return Bm25(build["k1"], build["b"])
