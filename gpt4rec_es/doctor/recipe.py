"""Checks of the live recipe: that it can be read, and that what it needs is there."""

from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import generators, rerankers
from gpt4rec_es.db.rows.rerankers import Reranker
from gpt4rec_es.doctor.findings import Finding, error, ok, warning
from gpt4rec_es.recipes.live import live_since
from gpt4rec_es.settings import Settings


def live(engine: Engine, settings: Settings, describe: Callable[[str], str]) -> Iterator[Finding]:
    """Report the live recipe, and a generator, re-ranker or device that it lacks."""
    with transaction(engine) as connection:
        since = live_since(connection)
        has_generator = generators.current(connection) is not None
        wanted = since.recipe.recipe.reranker
        reranker = wanted and rerankers.find(connection, wanted)
    name, recipe = since.recipe.name, since.recipe.recipe
    sources = ", ".join(f"{source}:{weight:g}" for source, weight in recipe.sources.items())
    if not has_generator and recipe.needs_generator:
        yield error(
            f"No query generator is in use, and recipe {name} has no other source.",
            "Train one (`gpt4rec train generator`), choose one (`gpt4rec generators use NAME`), or "
            "use a recipe with other sources (`gpt4rec recipes use default --reason 'why'`).",
        )
    elif not has_generator and recipe.writes_queries:
        yield warning(
            f"No query generator is in use: recipe {name} ({sources}) makes lists from its other "
            "sources.",
            "Train one (`gpt4rec train generator`) or choose one (`gpt4rec generators use NAME`).",
        )
    if wanted:
        yield from _check_reranker(name, wanted, reranker or None)
    if recipe.decoding.dtype == "fp16" and describe(settings.generator.device).startswith("CPU"):
        yield warning(
            f"Recipe {name} asks for fp16, but the model runs on the CPU, where that is slow.",
            "Use a recipe whose decoding.dtype is fp32 on machines without a GPU.",
        )
    chosen = f", used by {since.actor} since {since.used_at:%Y-%m-%d}" if since.used_at else ""
    yield ok(f"{name} is live ({sources}){chosen}")


def _check_reranker(recipe: str, name: str, row: Reranker | None) -> Iterator[Finding]:
    """Report a re-ranker that no night could open; nights compare its content when they do."""
    again = f"`gpt4rec rerankers add {name} --folder FOLDER`"
    if row is None:
        yield error(
            f"Recipe {recipe} names the re-ranker {name}, which is not registered.",
            f"Register it: {again}, or use another recipe.",
        )
    elif not Path(row.path).is_dir():
        yield error(
            f"The folder of re-ranker {name} is gone: {row.path}.",
            f"Put it back, or say where it is: {again}.",
        )
    elif Path(row.gpt2).is_absolute() and not Path(row.gpt2).is_dir():
        yield error(
            f"The GPT-2 that reads metadata for re-ranker {name} is gone: {row.gpt2}.",
            f"Put it back, or say where it is: {again} --gpt2 FOLDER.",
        )
    else:
        yield ok(f"re-ranker {name} is registered and its folder is there")
