"""Shell completion of names of the database: those of runs, networks, recipes, splits and trials.

A completion must not fail: without a database there are no names.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from sqlalchemy import Connection

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
# The shell shows no more anyway.
_MOST = 50


def names(kind: str) -> Complete:
    """Return a callback that completes names of ``kind``, a key of ``_READ``."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            found = _load(ctx, kind)
        except Exception:
            return []
        return [item for item in found if item.value.startswith(incomplete)][:_MOST]

    return complete


def _load(ctx: click.Context, kind: str) -> list[CompletionItem]:
    from gpt4rec_es.runtime import Runtime

    runtime = Runtime.from_environment(env_file=ctx.find_root().params.get("env_file"))
    try:
        with runtime.engine.connect() as connection:
            return [CompletionItem(name, help=about) for name, about in _READ[kind](connection)]
    finally:
        runtime.close()


def _runs(connection: "Connection") -> list[tuple[str, str]]:
    from gpt4rec_es.db.rows import runs

    found = [(run.run_id, run.state) for run in runs.newest(connection, _MOST)]
    return [("latest", "the published run"), *found]


def _generators(connection: "Connection") -> list[tuple[str, str]]:
    from gpt4rec_es.db.rows import generators

    return [(row.name, row.kind) for row in generators.load_all(connection)]


def _rerankers(connection: "Connection") -> list[tuple[str, str]]:
    from gpt4rec_es.db.rows import rerankers

    return [(row.name, row.path) for row in rerankers.load_all(connection)]


def _encoders(connection: "Connection") -> list[tuple[str, str]]:
    from gpt4rec_es.db.rows import encoders

    return [(row.name, row.kind) for row in encoders.load_all(connection)]


def _recipes(connection: "Connection") -> list[tuple[str, str]]:
    from gpt4rec_es.db.rows import recipes
    from gpt4rec_es.recipes.shipped import SHIPPED

    stored = [(row.name, f"stored by {row.actor}") for row in recipes.load_all(connection)]
    return [(name, "shipped") for name in SHIPPED] + stored


def _splits(connection: "Connection") -> list[tuple[str, str]]:
    from gpt4rec_es.db.rows import splits

    return [(row.name, row.protocol) for row in splits.load_all(connection)]


def _trials(connection: "Connection") -> list[tuple[str, str]]:
    from gpt4rec_es.db.rows import trials

    return [(str(row.trial_no), row.split) for row in trials.load_all(connection)]


_READ = {
    "run": _runs,
    "generator": _generators,
    "reranker": _rerankers,
    "encoder": _encoders,
    "recipe": _recipes,
    "split": _splits,
    "trial": _trials,
}
