"""The networks of a night, opened and compared with what is registered before any work begins."""

import logging
from typing import Any, NamedTuple

from sqlalchemy import Connection

from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.rows import encoders, rerankers
from gpt4rec_es.db.rows.encoders import Encoder
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.db.rows.generators import current as current_generator
from gpt4rec_es.db.rows.rerankers import Reranker
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.generation.registry import opened_unchanged
from gpt4rec_es.night.inputs.item_vectors import ensure_item_vectors
from gpt4rec_es.night.inputs.manifest import no_generator
from gpt4rec_es.night.inputs.parts import NightParts, VectorMaker
from gpt4rec_es.options.holdback import PAPER
from gpt4rec_es.options.night import NightOptions
from gpt4rec_es.protocols import Progress, QueryGenerator, no_progress

log = logging.getLogger(__name__)


class Writer(NamedTuple):
    """The generator of a run's queries: its row, and the opened one."""

    row: Generator
    generator: QueryGenerator


class Ranker(NamedTuple):
    """The re-ranker of a run: its row, and the opened one."""

    row: Reranker
    maker: VectorMaker

    def has_vectors(self, connection: Connection, catalog_version: int | None) -> bool:
        """Return whether all items have vectors as of this version: a prune may delete them."""
        row = rerankers.get(connection, self.row.name)
        known = (row.reranker_no, row.vectors_version)
        return known == (self.row.reranker_no, catalog_version)

    def frozen(self, catalog_version: int, frozen_history: int) -> dict[str, Any]:
        """Return what a manifest says because of it.

        catalog_version: of its item vectors; frozen_history: purchases that are frozen without it.
        """
        return {
            "frozen_history": max(frozen_history, self.row.history_length),
            "reranker": {
                "reranker_no": self.row.reranker_no,
                "name": self.row.name,
                "content_hash": self.row.content_hash,
                "catalog_version": catalog_version,
            },
        }


def open_writer(parts: NightParts, options: NightOptions) -> Writer | None:
    """Return the current generator; None: the recipe needs none, or there is none to use.

    Raises:
        ConflictError: its files changed since it was registered.
        UsageError: there is none although queries are the recipe's only source, or the only one of
            an arm of the holdback.
    """
    recipe = options.recipe.recipe
    if not recipe.writes_queries:
        _refuse_paper(options)
        return None
    row = retrying(parts.engine, current_generator)
    if row is not None:
        return Writer(row, opened_unchanged(row, lambda one: parts.open_generator(one, recipe)))
    if recipe.needs_generator:
        raise no_generator(options.recipe.name)
    _refuse_paper(options)
    log.warning(
        "no query generator is in use: recipe %s makes lists from its other sources",
        options.recipe.name,
    )
    return None


def _refuse_paper(options: NightOptions) -> None:
    if any(arm == PAPER for arm, _ in options.holdback.shares):
        raise UsageError(
            f"The holdback has the arm {PAPER}, but no queries are generated.",
            "Choose a generator and a recipe with queries, or take the arm out of "
            "GPT4REC_HOLDBACK.",
        )


def open_ranker(parts: NightParts, options: NightOptions) -> Ranker | None:
    """Return the re-ranker that the recipe names; None: it names none.

    Raises:
        ConflictError: its files changed since it was registered.
        UsageError: none of that name is registered, or its folder is gone.
    """
    name = options.recipe.recipe.reranker
    if name is None:
        return None
    row = retrying(parts.engine, lambda connection: rerankers.get(connection, name))
    return Ranker(row, open_unchanged(parts, row))


def open_unchanged(parts: NightParts, row: Reranker) -> VectorMaker:
    """Return the opened re-ranker of ``row``.

    Raises:
        ConflictError: its files changed since it was registered.
        UsageError: its folder is gone.
    """
    maker = parts.open_reranker(row)
    if maker.content_hash != row.content_hash:
        raise ConflictError(
            f"The files of re-ranker {row.name!r} changed since it was registered.",
            "Put them back, or register them under another name and use a recipe that names it.",
        )
    return maker


def open_encoder(parts: NightParts, options: NightOptions) -> Encoder | None:
    """Return the row of the encoder that the recipe names, which can be opened; None: none.

    Raises:
        ConflictError: its files changed since it was registered.
        UsageError: none of that name is registered, or its files are gone.
    """
    name = options.recipe.recipe.encoder
    if name is None:
        return None
    row = retrying(parts.engine, lambda connection: encoders.get(connection, name))
    parts.open_encoder(row)
    return row


def vectors_version(
    parts: NightParts, ranker: Ranker | None, progress: Progress = no_progress
) -> int | None:
    """Make the item vectors that are missing; return the catalog version as of which all exist.

    None: there is no re-ranker. ``progress`` counts items.
    """
    if ranker is None:
        return None
    return ensure_item_vectors(parts.engine, ranker.row, ranker.maker, progress=progress)
