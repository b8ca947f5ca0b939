"""Checks of the live recipe: that it can be read, and that what it needs is there."""

from collections.abc import Callable, Iterator

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import generators
from gpt4rec_es.doctor.findings import Finding, error, ok, warning
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.recipes.lacks import lacks
from gpt4rec_es.recipes.live import live_since
from gpt4rec_es.reranking.encoder_registry import open_encoder_of, show_encoder
from gpt4rec_es.settings import Settings


def live(engine: Engine, settings: Settings, describe: Callable[[str], str]) -> Iterator[Finding]:
    """Report the live recipe, and a generator, re-ranker, encoder or device that it lacks."""
    with transaction(engine) as connection:
        since = live_since(connection)
        has_generator = generators.current(connection) is not None
        lacking = lacks(connection, since.recipe)
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
    for lack in lacking:
        yield error(*lack)
    if recipe.reranker is not None and not lacking:
        yield ok(f"re-ranker {recipe.reranker} is registered and its files are there")
    if recipe.encoder is not None and not lacking:
        try:
            open_encoder_of(engine, show_encoder(engine, recipe.encoder))
        except (ConflictError, UsageError) as failure:
            yield error(failure.message, failure.hint or "See `gpt4rec encoders list`.")
        else:
            yield ok(f"encoder {recipe.encoder} is registered and its files are as they were")
    if recipe.decoding.dtype == "fp16" and describe(settings.generator.device).startswith("CPU"):
        yield error(
            f"Recipe {name} asks for fp16, which needs a GPU, and the model runs on the CPU here.",
            "Use a recipe whose decoding.dtype is fp32 or bf16 on machines without a GPU.",
        )
    chosen = f", used by {since.actor} since {since.used_at:%Y-%m-%d}" if since.used_at else ""
    yield ok(f"{name} is live ({sources}){chosen}")
